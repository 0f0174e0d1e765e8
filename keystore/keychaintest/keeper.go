package keychaintest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// patience bounds every wait for a daemon. It is long, for a test that fails
// because its machine was busy tells nothing.
const patience = 30 * time.Second

// A keeper runs processes in a temporary directory, and sees to it that neither
// outlives this process.
type keeper struct {
	dir     string
	starts  chan func()
	alive   *os.File // open as long as we or a process of ours lives
	sweeper *exec.Cmd
}

func newKeeper() (*keeper, error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	k := &keeper{dir: dir, starts: make(chan func())}
	if err := k.startSweeper(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	go k.run()
	return k, nil
}

// tempDir makes a directory whose sockets have names that fit into a socket
// address (104 bytes on some systems) though TMPDIR may be deep.
func tempDir() (string, error) {
	parent := ""
	if len(os.TempDir()) > 60 {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "keychaintest")
}

// startSweeper starts the one process that survives a kill -9 of ours, if only
// to remove the directory: it waits for the end of a pipe that we and the
// daemons hold open, so that none of them can write when it sets to work. The
// group of its own saves it from Ctrl-C.
func (k *keeper) startSweeper() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	k.alive = w
	k.sweeper = exec.Command("/bin/sh", "-c", `read -r _; rm -rf -- "$0"`, k.dir)
	k.sweeper.Dir = "/"
	k.sweeper.Env = []string{"PATH=/bin:/usr/bin"}
	k.sweeper.Stdin = r
	k.sweeper.SysProcAttr = ownGroup()
	if err := k.sweeper.Start(); err != nil {
		w.Close()
		return err
	}
	return nil
}

// run starts processes, all on one thread that lasts until the keeper is closed:
// Linux sends the death signal when the thread ends that forked, and Go ends
// idle threads as it likes.
func (k *keeper) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for start := range k.starts {
		start()
	}
}

// start runs cmd as a process that dies with ours. It must not inherit our
// output: whoever reads that to its end would wait for the daemon.
func (k *keeper) start(cmd *exec.Cmd) (*daemon, error) {
	log, err := os.Create(filepath.Join(k.dir, filepath.Base(cmd.Path)+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Dir = k.dir
	cmd.Stderr = log
	cmd.ExtraFiles = []*os.File{k.alive}
	cmd.SysProcAttr = dieWithUs()
	started := make(chan error)
	k.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, log: log.Name(), gone: make(chan struct{})}
	go d.wait()
	return d, nil
}

// close returns when the directory is gone. All processes must have ended.
func (k *keeper) close() {
	close(k.starts)
	k.alive.Close()
	k.sweeper.Wait()
}

type daemon struct {
	cmd  *exec.Cmd
	log  string
	gone chan struct{} // closed when it has ended
}

func (d *daemon) wait() {
	d.cmd.Wait()
	close(d.gone)
}

func (d *daemon) kill() {
	d.cmd.Process.Kill()
	<-d.gone
}

// fail tells what the daemon had to say about err.
func (d *daemon) fail(err error) error {
	said, _ := os.ReadFile(d.log)
	return fmt.Errorf("%s: %w; it says: %s", filepath.Base(d.cmd.Path), err, strings.TrimSpace(string(said)))
}
