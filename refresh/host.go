package refresh

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

const production = "https://login.salesforce.com"

// CheckURL returns the address of an org as it is kept: with its scheme, host in lower case, without
// a slash at the end. A missing scheme is https. Refused are http (but for loopback addresses, which
// tests use), the addresses of Lightning pages, at which there is no API, and whatever more than a
// host, a port and a path has. An error shows nothing of the address, which may be a secret in the
// wrong place.
func CheckURL(address string) (string, error) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Hostname() == "", u.User != nil, u.RawQuery != "", u.Fragment != "", !isPrintable(address), !isHost(u.Host), strings.HasSuffix(u.Hostname(), "."):
		return "", errors.New("the address of an org looks like https://acme.my.salesforce.com, and this is none")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("the address of an org begins with https://")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", errors.New("the address of an org begins with https://, and http:// would show the login to the network")
	}
	u.Host = strings.ToLower(u.Host)
	if page, org := lightning(u.Hostname()); page != "" {
		return "", fmt.Errorf("it is the address of a page, not of the org: https://ORG%s, use https://ORG%s", page, org)
	}
	path, _, _ := strings.Cut(u.EscapedPath(), "/services/") // of an API's address, which users have at hand
	return u.Scheme + "://" + u.Host + strings.TrimRight(path, "/"), nil
}

// lightning tells how the host of a Lightning page ends, and its org's My Domain instead; empty if it
// is none.
func lightning(host string) (page, org string) {
	for page, org := range map[string]string{
		".lightning.force.com":    ".my.salesforce.com",
		".lightning.crmforce.mil": ".my.salesforce.mil",
	} {
		if strings.HasSuffix(host, page) {
			return page, org
		}
	}
	return "", ""
}

// isHost reports whether a host and port are of what such are made of. To url.Parse they may also be
// percent-encoded bytes of any kind, and quotes.
func isHost(host string) bool {
	return !strings.ContainsFunc(host, func(c rune) bool {
		return (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && !strings.ContainsRune("0123456789.-_:[]", c)
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// isPrintable reports whether a text is of visible ASCII only, as tokens and addresses are. Nothing
// else may get into a header, a shell's variable or a terminal.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// origin is the scheme and host of an identity URL.
func origin(id string) string {
	u, err := url.Parse(id)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// identity is org and user of an identity URL: the last two segments of
// https://login.salesforce.com/id/ORG/USER, whatever the host.
func identity(id string) (org, user string) {
	parts := strings.Split(strings.TrimRight(id, "/"), "/")
	if n := len(parts); n > 5 && strings.HasPrefix(parts[n-2], "00D") {
		return parts[n-2], parts[n-1]
	}
	return "", ""
}

// orgOfToken is the org that an opaque access token begins with: 00D…!
func orgOfToken(token string) string {
	org, _, ok := strings.Cut(token, "!")
	if ok && strings.HasPrefix(org, "00D") && len(org) >= 15 {
		return org
	}
	return ""
}

// sameID compares two ids of 15 or 18 characters, of which the last three are a checksum.
func sameID(a, b string) bool { return firstOf(a, 15) == firstOf(b, 15) }

func firstOf(s string, n int) string { return s[:min(n, len(s))] }
