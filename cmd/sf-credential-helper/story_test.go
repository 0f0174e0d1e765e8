package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sf-credential-helper/keystore"
	"sf-credential-helper/keystore/keychaintest"
	"sf-credential-helper/refresh/orgtest"
)

// TestStories runs testdata/script, each story with a keychain, an org and a home of its own. After
// each, no secret that the org gave out may stand in stderr, in the arguments or in any file.
func TestStories(t *testing.T) {
	if m := keychaintest.Missing(); m != "" {
		t.Skip(m)
	}
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			newStory(t).run(file)
		})
	}
}

type story struct {
	listener
	org      *orgtest.Org
	keychain *keychaintest.Session
	fake     *keychaintest.Fake
	logins   string // a directory, outside the story's, of what users have in hand
	work     string
	release  func()
}

func newStory(t *testing.T) *story {
	s := &story{listener: listener{T: t}, org: orgtest.New(), keychain: newKeychain(t), logins: t.TempDir()}
	t.Cleanup(s.org.Close)
	s.org.SetRules(orgtest.Rules{ClientID: orgtest.DefaultClient, Rotate: true})
	return s
}

func (s *story) run(file string) {
	testscript.RunT(&s.listener, testscript.Params{
		Files: []string{file},
		Setup: s.setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"org": s.orgCommand, "keychain": s.keychainCommand, "fake": s.fakeCommand,
			"capture": capture, "status": s.statusCommand, "kept": s.keptCommand,
		},
	})
	s.lookForSecrets()
}

func (s *story) setup(env *testscript.Env) error {
	s.work = env.WorkDir
	env.Vars = append(env.Vars, "HOME="+env.WorkDir, "ORG="+s.org.URL, "LOGINS="+s.logins,
		"STORY_ARGS="+filepath.Join(s.logins, "args"), "GORACE=atexit_sleep_ms=0")
	env.Vars = append(env.Vars, s.keychain.Env()...)
	return nil
}

// lookForSecrets goes through all that a story left behind.
func (s *story) lookForSecrets() {
	args, err := os.ReadFile(filepath.Join(s.logins, "args"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.T.Error(err)
	}
	places := map[string]string{"the arguments": string(args), "stderr": s.stderr()}
	for _, dir := range []string{s.work, s.keychain.Dir} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				data, _ := os.ReadFile(path)
				places[path] = string(data)
			}
			return nil
		})
	}
	for place, text := range places {
		for _, secret := range s.org.Secrets() {
			if strings.Contains(text, secret) {
				s.T.Errorf("a secret of the org stands in %s", place)
			}
		}
	}
}

// listener is a testscript.T that remembers what was logged.
type listener struct {
	*testing.T
	mu  sync.Mutex
	log strings.Builder
}

func (l *listener) Run(_ string, f func(testscript.T)) { f(l) }
func (l *listener) Parallel()                          {}
func (l *listener) Verbose() bool                      { return true }

func (l *listener) Log(args ...any) {
	l.T.Helper()
	l.mu.Lock()
	fmt.Fprintln(&l.log, args...)
	l.mu.Unlock()
	l.T.Log(args...)
}

// stderr is what stands behind the [stderr] marks of the log.
func (l *listener) stderr() string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(l.log.String()) {
		switch {
		case strings.HasPrefix(line, "[stderr]"):
			in = true
		case strings.HasPrefix(line, "["), strings.HasPrefix(line, "> "):
			in = false
		case in:
			b.WriteString(line)
		}
	}
	return b.String()
}

// capture NAME puts the last stdout into a variable.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSuffix(ts.ReadFile("stdout"), "\n"))
}

// statusCommand, "status N LINE", has the shell run the line and demands its exit status.
func (s *story) statusCommand(ts *testscript.TestScript, _ bool, args []string) {
	_ = ts.Exec("sh", "-c", args[1]+"\necho \"status $?\" >&2") // the status comes with stderr
	if !strings.HasSuffix(ts.ReadFile("stderr"), "status "+args[0]+"\n") {
		ts.Fatalf("want exit status %s", args[0])
	}
}

// orgCommand is what happens at Salesforce.
func (s *story) orgCommand(ts *testscript.TestScript, neg bool, args []string) {
	switch verb, args := args[0], args[1:]; verb {
	case "login": // USER FORMAT: a login in hand, as a file in $LOGINS
		login := s.org.Login(args[0])
		ts.Setenv("REFRESH", login.RefreshToken)
		s.hand(ts, args[0]+".json", string(login.Answer()))
		s.hand(ts, args[0]+".url", login.AuthURL()+"\n")
		s.hand(ts, args[0]+".cli", fmt.Sprintf(`{"status":0,"result":{"sfdxAuthUrl":%q},"warnings":[]}`, login.AuthURL()))
		s.hand(ts, args[0]+".token", login.AccessToken+"\n")
		s.hand(ts, args[0]+".show", fmt.Sprintf(`{"status":0,"result":{"accessToken":%q},"warnings":[]}`, login.AccessToken))
	case "end": // TOKEN: a session ends
		if !s.org.End(args[0]) {
			ts.Fatalf("that token was not alive")
		}
	case "endlogin":
		s.org.EndLogin(args[0])
	case "rotation":
		rules := s.org.Rules()
		rules.Rotate = args[0] == "on"
		s.org.SetRules(rules)
	case "jwt": // LIFETIME
		rules := s.org.Rules()
		rules.JWT = duration(ts, args[0])
		s.org.SetRules(rules)
	case "move":
		s.org.MoveTo(args[0])
	case "refuse": // CODE DESCRIPTION
		s.org.Queue(orgtest.Refuse(args[0], args[1]))
	case "lose":
		s.org.Queue(orgtest.Reply{Lose: true})
	case "answer": // STATUS BODY
		code, err := strconv.Atoi(args[0])
		ts.Check(err)
		s.org.Queue(orgtest.Reply{Status: code, Body: args[1]})
	case "hold":
		s.release = s.org.Hold()
	case "await": // N
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		ts.Check(s.org.Await(ctx, n))
	case "release":
		s.release()
	case "requests": // N: so many token requests there were
		if got := strconv.Itoa(s.org.TokenRequests()); (got == args[0]) == neg {
			ts.Fatalf("%s token requests", got)
		}
	case "alive": // USER: the kept login is the one the org takes
		record, err := s.keychain.Secret(keystore.Service, "default")
		ts.Check(err)
		now := s.org.Current(args[0]).RefreshToken
		if alive := now != "" && s.org.Alive(now) && strings.Contains(record, now); alive == neg {
			ts.Fatalf("the kept login is alive: %t", alive)
		}
	default:
		ts.Fatalf("org: no such verb")
	}
}

func duration(ts *testscript.TestScript, s string) time.Duration {
	d, err := time.ParseDuration(s)
	ts.Check(err)
	return d
}

func (s *story) hand(ts *testscript.TestScript, name, text string) {
	ts.Check(os.WriteFile(filepath.Join(s.logins, name), []byte(text), 0o600))
}

// keychainCommand is what happens to the keychain.
func (s *story) keychainCommand(ts *testscript.TestScript, _ bool, args []string) {
	verbs := map[string]func() error{
		"lock": s.keychain.Lock, "unlock": s.keychain.Unlock, "stop": s.keychain.Stop, "cont": s.keychain.Cont,
		"kill": s.keychain.Kill, "restart": s.keychain.Restart,
	}
	verb, ok := verbs[args[0]]
	if !ok {
		ts.Fatalf("keychain: no such verb")
	}
	ts.Check(verb())
}

// fakeCommand puts a fake bus in the place of the real one from here on.
func (s *story) fakeCommand(ts *testscript.TestScript, _ bool, args []string) {
	if s.fake == nil {
		var err error
		s.fake, err = keychaintest.NewFake(keychaintest.Options{})
		ts.Check(err)
		ts.Defer(s.fake.Close)
		for _, v := range s.fake.Env() {
			name, value, _ := strings.Cut(v, "=")
			ts.Setenv(name, value)
		}
	}
	faults := map[string]keychaintest.Options{
		"healthy":      {},
		"none":         {NoService: true},
		"nocollection": {NoDefault: true, NoLogin: true},
		"dismissed":    {PromptCreate: true, Answer: keychaintest.Dismiss},
		"unanswered":   {Locked: true, Answer: keychaintest.Ignore},
		"disconnects":  {Locked: true, Answer: keychaintest.Disconnect},
		"mute":         {MuteAuth: true},
		"full": {Faults: map[string]keychaintest.Fault{"CreateItem": {
			Err: "org.freedesktop.Secret.Error", Text: "Couldn't create item: An error occurred on the device"}}},
	}
	options, ok := faults[args[0]]
	if !ok {
		ts.Fatalf("fake: no such fault")
	}
	s.fake.SetOptions(options)
}

// keptCommand prints the kept record to stdout of the log: kept NAME TEXT demands that TEXT is in it.
func (s *story) keptCommand(ts *testscript.TestScript, neg bool, args []string) {
	record, err := s.keychain.Secret(keystore.Service, args[0])
	ts.Check(err)
	if strings.Contains(record, args[1]) == neg {
		ts.Fatalf("the record of %s is not as wanted", args[0])
	}
}
