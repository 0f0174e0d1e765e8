//go:build ignore

// Bench is what .ci/bench runs between two keyrings: $FEW_BUS gets one login, $DBUS_SESSION_BUS_ADDRESS many.
// It starts the programs in turn, over and over, and prints medians and ratios.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

var (
	dir    = flag.String("dir", ".", "where the programs helper and floor are")
	rounds = flag.Int("rounds", 200, "how often each is measured")
	logins = flag.Int("logins", 1000, "how many logins are many")
)

const token = "00DAp000000bench!AQEAQBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenc"

const login = `{"access_token":"` + token + `","refresh_token":"5Aep861BenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchB",
"signature":"YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU=","scope":"refresh_token api","instance_url":"https://bench.my.salesforce.com",
"id":"https://login.salesforce.com/id/00DAp000000benchMAA/005Ap000000benchIAM","token_type":"Bearer","issued_at":"1764547200000"}`

// A subject is one program that is measured.
type subject struct {
	name  string
	args  []string
	env   []string
	want  string // stands in what it prints
	times []time.Duration
}

func main() {
	flag.Parse()
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	few, many := environment("few", os.Getenv("FEW_BUS")), environment("many", os.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	last := fmt.Sprintf("org%04d", *logins)
	if err := store("default", login, few); err != nil {
		return err
	}
	org := orgtest.New()
	defer org.Close()
	org.SetRules(orgtest.Rules{Rotate: true})
	if err := store("renewed", string(org.Login("ada@example.com").Answer()), few); err != nil {
		return err
	}
	start := time.Now()
	for i := range *logins {
		if err := store(fmt.Sprintf("org%04d", i+1), login, many); err != nil {
			return err
		}
	}
	fmt.Printf("store: %d logins in %.1f s\n", *logins, time.Since(start).Seconds())

	helper, floor := filepath.Join(*dir, "helper"), filepath.Join(*dir, "floor")
	subjects := []*subject{
		{name: "floor", args: []string{floor, "default"}, env: few, want: token},
		{name: "get", args: []string{helper, "get"}, env: few, want: token},
		{name: "get --refresh", args: []string{helper, "get", "--refresh", "-o", "renewed"}, env: few, want: "00D"},
		{name: "secret-tool", args: []string{"secret-tool", "lookup", "service", "sf-credential-helper", "username", "default"}, env: few, want: token},
		{name: "floor of many", args: []string{floor, last}, env: many, want: token},
		{name: "get of many", args: []string{helper, "get", "-o", last}, env: many, want: token},
	}
	if err := measure(subjects); err != nil {
		return err
	}
	median := report(subjects)
	if err := peaks(subjects); err != nil {
		return err
	}
	request, err := requests(org)
	if err != nil {
		return err
	}
	fmt.Printf("a renewal takes %.2f ms more than get, of which a request to the org is %.2f ms\n",
		median["get --refresh"]-median["get"], request)
	return nil
}

func environment(name, bus string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Join(*dir, "home-"+name),
		"DBUS_SESSION_BUS_ADDRESS=" + bus,
		"SF_CREDENTIAL_KEYSTORE=keychain",
	}
}

func store(org, login string, env []string) error {
	cmd := exec.Command(filepath.Join(*dir, "helper"), "store", "-o", org, "-i", orgtest.DefaultClient)
	cmd.Env, cmd.Stdin = env, strings.NewReader(login)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("store: %w\n%s", err, out)
	}
	return nil
}

// measure runs the subjects in turn, so that a machine that slows down slows all of them.
func measure(subjects []*subject) error {
	for round := range *rounds + 5 {
		for _, s := range subjects {
			cmd := exec.Command(s.args[0], s.args[1:]...)
			var out, stderr bytes.Buffer
			cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &stderr
			start := time.Now()
			err := cmd.Run()
			took := time.Since(start)
			if err != nil || !strings.Contains(out.String(), s.want) {
				return fmt.Errorf("%s does not print the login: %v\n%s", s.name, err, &stderr)
			}
			if round >= 5 {
				s.times = append(s.times, took)
			}
		}
	}
	return nil
}

func report(subjects []*subject) map[string]float64 {
	median := map[string]float64{}
	for _, s := range subjects {
		slices.Sort(s.times)
		median[s.name] = ms(s.times[len(s.times)/2])
		fmt.Printf("%-14s median %6.2f ms, fastest %6.2f, 9 of 10 within %6.2f\n",
			s.name, median[s.name], ms(s.times[0]), ms(s.times[len(s.times)*9/10]))
	}
	for _, pair := range [][2]string{{"get", "floor"}, {"get", "secret-tool"}, {"get of many", "get"}, {"floor of many", "floor"}} {
		fmt.Printf("%s / %s: %.2f\n", pair[0], pair[1], median[pair[0]]/median[pair[1]])
	}
	return median
}

// requests is the median of a token request by itself, on a connection of its own, in milliseconds.
func requests(org *orgtest.Org) (float64, error) {
	var times []time.Duration
	for range *rounds {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {org.Current("ada@example.com").RefreshToken},
			"client_id": {orgtest.DefaultClient}}
		client := http.Client{Transport: &http.Transport{}}
		start := time.Now()
		resp, err := client.PostForm(org.URL+"/services/oauth2/token", form)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		times = append(times, time.Since(start))
		client.CloseIdleConnections()
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return 0, err
		}
	}
	slices.Sort(times)
	return ms(times[len(times)/2]), nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// peaks asks time(1): what the kernel tells this process of a child is never less than this process's own size.
func peaks(subjects []*subject) error {
	file := filepath.Join(*dir, "peak")
	for _, s := range subjects {
		cmd := exec.Command("time", append([]string{"-f", "%M", "-o", file}, s.args...)...)
		cmd.Env = s.env
		if err := cmd.Run(); err != nil {
			return err
		}
		peak, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Printf("peak memory, %s: %s kB\n", s.name, bytes.TrimSpace(peak))
	}
	return nil
}
