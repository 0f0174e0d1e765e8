package refresh

import (
	"encoding/json"
	"strings"
	"testing"
)

var goodURLs = [][2]string{
	{"https://acme.my.salesforce.com", "https://acme.my.salesforce.com"},
	{"https://acme.my.salesforce.com/", "https://acme.my.salesforce.com"},
	{"https://acme.my.salesforce.com//", "https://acme.my.salesforce.com"},
	{"acme.my.salesforce.com", "https://acme.my.salesforce.com"},
	{"HTTPS://ACME.My.Salesforce.COM/", "https://acme.my.salesforce.com"},
	{"https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com"},
	{"https://login.salesforce.com", "https://login.salesforce.com"},
	{"https://acme.my.salesforce.com/services/data/v60.0", "https://acme.my.salesforce.com"},
	{"https://acme.my.site.com/portal/services/oauth2/token", "https://acme.my.site.com/portal"},
	{"https://test.salesforce.com", "https://test.salesforce.com"},
	{"https://acme.my.site.com/Portal/", "https://acme.my.site.com/Portal"},
	{"acme.my.site.com/a/b", "https://acme.my.site.com/a/b"},
	{"https://acme.my.salesforce.mil:8443", "https://acme.my.salesforce.mil:8443"},
	{"localhost:7443", "https://localhost:7443"},
	{"https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"},
	{"https://xn--mller-kva.example", "https://xn--mller-kva.example"},
	{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
	{"http://127.1.2.3", "http://127.1.2.3"},
	{"http://[::1]:8080/", "http://[::1]:8080"},
	{"http://localhost", "http://localhost"},
	{"http://LOCALHOST:99", "http://localhost:99"},
	{"https://lightning.force.com.example.com", "https://lightning.force.com.example.com"},
}

var badURLs = []string{
	"", " ", "/", "://", "https://", "https:///path", "https://:443",
	"http://CANARY.my.salesforce.com", "http://10.0.0.1", "http://localhost.CANARY.com", "http://127.0.0.1.CANARY.com", "http://128.0.0.1", "http://[::2]", "http://0.0.0.0",
	"ftp://CANARY.my.salesforce.com", "CANARY://acme", "file:///etc/CANARY", "javascript:alert(1)//://CANARY",
	"https://ada:CANARY@acme.my.salesforce.com", "https://CANARY@acme.my.salesforce.com", "https://@acme.my.salesforce.com", "https://:@acme",
	"https://canary.lightning.force.com.", ".", "https://acme.my.salesforce.com?CANARY", "https://acme.my.salesforce.com/?x=CANARY", "https://acme.my.salesforce.com#CANARY", "https://acme/x#CANARY",
	"https://CANARY.lightning.force.com", "https://CANARY.LIGHTNING.Force.com:443/lightning/page/home", "CANARY--uat.sandbox.lightning.force.com", "https://CANARY.lightning.crmforce.mil",
	"https://acme.my.salesforce.com\n", "https://acme.my.salesforce.com\r\nX: CANARY", "https://ac\x1b[31mCANARY", "https://acme\x7f", "https://acme\x00", "https://acme .com", "\thttps://acme", "https://acme\u009b31m",
	"https://müller.example", "https://acme.example/ü", "https://аcme.my.salesforce.com",
	"https://%C3%A4.example", "https://%9b31m.example", "https://acme%2eexample", "https://acme%25.example", "https://[fe80::1%25en0]", "https://a'b\"c", "https://$(CANARY)", "https://a;b", "https://a,b", "https://a&b",
	"https://acme:CANARY", "https://acme:-1", "https://[::1", "https://acme/%zz", "https://%", "00D410000000001!CANARY", "force://CANARY::5Aep@acme",
}

func TestTheAddressOfAnOrgIsKeptInOneForm(t *testing.T) {
	for _, c := range goodURLs {
		got, err := CheckURL(c[0])
		if err != nil || got != c[1] {
			t.Errorf("%q gives %q, %v, and not %q", c[0], got, err, c[1])
		}
	}
}

func TestWhatIsNoAddressOfAnOrgIsRefusedAndNotRepeated(t *testing.T) {
	for _, address := range badURLs {
		got, err := CheckURL(address)
		if err == nil || got != "" {
			t.Errorf("%q gives %q", address, got)
		} else if strings.Contains(strings.ToUpper(err.Error()), "CANARY") || strings.ContainsFunc(err.Error(), isControl) {
			t.Errorf("%q is repeated: %v", address, err)
		}
	}
}

func TestALightningPageTellsTheOrgsAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://acme.lightning.force.com/x":              "https://ORG.my.salesforce.com",
		"https://acme--uat.sandbox.lightning.force.com":   "https://ORG.my.salesforce.com",
		"https://acme.lightning.crmforce.mil:443/y?no=no": "",
		"https://acme.lightning.crmforce.mil:443":         "https://ORG.my.salesforce.mil",
	} {
		if _, err := CheckURL(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestALoginIsRenewedWhereItIsMostLikelyAllowed(t *testing.T) {
	fields := map[string]json.RawMessage{
		"sfdc_community_url": encode("https://acme.my.site.com/portal/"),
		"instance_url":       encode("https://acme.my.salesforce.com"),
		"id":                 encode("https://test.salesforce.com/id/00D/005"),
	}
	rec := record{fields: fields, own: own{LoginURL: "https://named.example"}}
	equal(t, "named", rec.host(), "https://named.example")
	rec.own.LoginURL = ""
	equal(t, "site", rec.host(), "https://acme.my.site.com/portal")
	fields["sfdc_community_url"] = encode("http://evil.example")
	equal(t, "instance", rec.host(), "https://acme.my.salesforce.com")
	delete(fields, "sfdc_community_url")
	equal(t, "instance", rec.host(), "https://acme.my.salesforce.com")
	fields["instance_url"] = encode("https://acme.lightning.force.com")
	equal(t, "identity", rec.host(), "https://test.salesforce.com")
	for _, id := range []string{"", "id/00D/005", "http://evil.example/id/00D/005", "://", "\x7f"} {
		fields["id"] = encode(id)
		equal(t, "production for "+id, rec.host(), "https://login.salesforce.com")
	}
	equal(t, "nothing known", record{}.host(), "https://login.salesforce.com")
}

func TestAnIdentityIsTheLastTwoSegments(t *testing.T) {
	for id, want := range map[string][2]string{
		"https://login.salesforce.com/id/00D41000000F8A0EAK/005410000": {"00D41000000F8A0EAK", "005410000"},
		"https://test.salesforce.com/id/00D1/0052/":                    {"00D1", "0052"},
		"https://acme.my.site.com/portal/id/00D1/0052":                 {"00D1", "0052"},
		"https://login.salesforce.com/id/0011/0052":                    {},
		"00D1/0052": {},
		"":          {},
	} {
		org, user := identity(id)
		equal(t, id, [2]string{org, user}, want)
	}
	for token, want := range map[string]string{
		opaque: "00D410000000001", "00D41000000F8A0EAK!x": "00D41000000F8A0EAK", jwt: "", "00D!x": "", "": "", "00D410000000001": "", "5Aep10000000001!x": "",
	} {
		equal(t, token, orgOfToken(token), want)
	}
}
