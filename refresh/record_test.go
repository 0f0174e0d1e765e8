package refresh

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

var testNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func recordFrom(t *testing.T, text string) record {
	t.Helper()
	rec, err := parseRecord([]byte(text))
	must(t, err)
	return rec
}

func objectFrom(t *testing.T, text string) (o object) {
	t.Helper()
	must(t, json.Unmarshal([]byte(text), &o))
	return o
}

func TestARecordIsAnObject(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `"x"`, "1", "{", `{"a":1}x`, `{"sf-credential-helper":1}`, `{"sf-credential-helper":{"began":"yesterday"}}`} {
		if _, err := parseRecord([]byte(text)); err != errRecord {
			t.Errorf("%q: %v", text, err)
		}
	}
	rec := recordFrom(t, `{"b":1,"a":"<"}`)
	equal(t, "encoded", string(rec.encode()), `{"a":"<","b":1,"sf-credential-helper":{}}`)
}

func TestAnAnswerIsMergedIntoTheRecord(t *testing.T) {
	old := recordFrom(t, `{"access_token":"a1","refresh_token":"r1","instance_url":"https://one.my.salesforce.com","id":"https://login.salesforce.com/id/00D/005",
		"issued_at":"1","expires_in":5,"old_field":{"x":[1]},"scope":"api","signature":"s1","sfdc_community_url":"https://one.my.site.com",
		"sf-credential-helper":{"client_id":"c","client_secret":"s","login_url":"https://l","rejected":true,"loop":["2026-01-01T00:00:00Z"],"began":"2026-01-01T00:00:00Z","cut_off":"2026-01-01T00:00:00Z"}}`)
	before := string(old.encode())
	for _, c := range []struct{ name, answer, want string }{
		{"little", `{"access_token":"a2"}`,
			`{"access_token":"a2","id":"https://login.salesforce.com/id/00D/005","instance_url":"https://one.my.salesforce.com","old_field":{"x":[1]},"refresh_token":"r1","scope":"api","sfdc_community_url":"https://one.my.site.com","signature":"s1"}`},
		{"all", `{"access_token":"a2","refresh_token":"r2","instance_url":"https://TWO.my.salesforce.com/","id":"i2","issued_at":"2","expires_in":6,"new_field":12345678901234567890,"scope":"web","signature":"s2","sfdc_community_url":"https://two.my.site.com"}`,
			`{"access_token":"a2","expires_in":6,"id":"i2","instance_url":"https://two.my.salesforce.com","issued_at":"2","new_field":12345678901234567890,"old_field":{"x":[1]},"refresh_token":"r2","scope":"web","sfdc_community_url":"https://two.my.site.com","signature":"s2"}`},
		{"useless", `{"access_token":"a2","refresh_token":"","instance_url":"http://two.my.salesforce.com","sfdc_community_url":"","id":null,"scope":null,"sf-credential-helper":{"client_id":"evil","login_url":"https://evil"}}`,
			`{"access_token":"a2","id":"https://login.salesforce.com/id/00D/005","instance_url":"https://one.my.salesforce.com","old_field":{"x":[1]},"refresh_token":"r1","scope":"api","sfdc_community_url":"https://one.my.site.com","signature":"s1"}`},
		{"of other types", `{"access_token":"a2","refresh_token":{"r":2},"instance_url":["https://two.my.salesforce.com"],"old_field":null}`,
			`{"access_token":"a2","id":"https://login.salesforce.com/id/00D/005","instance_url":"https://one.my.salesforce.com","old_field":{"x":[1]},"refresh_token":"r1","scope":"api","sfdc_community_url":"https://one.my.site.com","signature":"s1"}`},
	} {
		rec := old.merge(objectFrom(t, c.answer), testNow)
		equal(t, c.name, string(encode(rec.fields)), c.want)
		equal(t, c.name+": ours", rec.own, own{ClientID: "c", ClientSecret: "s", LoginURL: "https://l", RenewedAt: testNow, Loop: old.own.Loop})
		equal(t, c.name+": what it was merged into", string(old.encode()), before)
	}
}

func TestATokenTellsWhatSalesforceSaidBesideIt(t *testing.T) {
	equal(t, "sample", recordFrom(t, sample).token(), Token{
		AccessToken: "00D41000....uLZBpT6",
		InstanceURL: "https://d41000000f8a0eak-dev-ed.my.salesforce.com",
		Type:        "Bearer",
		ID:          "https://login.salesforce.com/id/00D41000000F8A0EAK/005410000....xAAE",
		Scope:       "refresh_token id",
		IssuedAt:    time.UnixMilli(1738348388166),
	})
	equal(t, "number", recordFrom(t, `{"issued_at":1738348388166}`).issuedAt(), time.UnixMilli(1738348388166))
	for _, raw := range []string{"null", `""`, `"0"`, "-5", `"soon"`, "1e99", "{}", `"99999999999999999999"`} {
		equal(t, raw, recordFrom(t, `{"issued_at":`+raw+`}`).issuedAt(), time.Time{})
	}
}

// jwtOf is an access token with these claims, and padding if they ask for it.
func jwtOf(claims string) string {
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestTheEndOfATokenIsKnownFromItsClaims(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	for _, c := range []struct {
		name, claims string
		from, to     time.Time
	}{
		{"both", `{"iat":1000,"exp":2000}`, at(1000), at(2000)},
		{"fractions", `{"iat":1000.75,"exp":2000.5}`, at(1000), at(2000)},
		{"exp only", `{"exp":2000}`, time.Time{}, at(2000)},
		{"iat only", `{"iat":1000}`, time.Time{}, time.Time{}},
		{"none", `{}`, time.Time{}, time.Time{}},
		{"a string", `{"exp":"2000"}`, time.Time{}, time.Time{}},
		{"negative", `{"exp":-2000}`, time.Time{}, time.Time{}},
		{"born before time", `{"iat":-1,"exp":2000}`, time.Time{}, time.Time{}},
		{"no end in sight", `{"exp":1e300}`, time.Time{}, time.Time{}},
		{"no object", `[1]`, time.Time{}, time.Time{}},
		{"no JSON", `x`, time.Time{}, time.Time{}},
	} {
		from, to := claims(jwtOf(c.claims))
		equal(t, c.name, [2]time.Time{from, to}, [2]time.Time{c.from, c.to})
	}
	for _, token := range []string{"", opaque, "a.b", "a.!.c", "..", "a.b.c.d"} {
		if from, to := claims(token); !from.IsZero() || !to.IsZero() {
			t.Errorf("%q: %v to %v", token, from, to)
		}
	}
}

// TestTheLifeOfARenewedJWTIsToldByOurClock: one that is an hour ahead would have each caller renew it.
func TestTheLifeOfARenewedJWTIsToldByOurClock(t *testing.T) {
	now := testNow
	token := jwtOf(fmt.Sprintf(`{"iat":%d,"exp":%d}`, now.Add(-time.Hour).Unix(), now.Add(-50*time.Minute).Unix()))
	rec := record{fields: object{"access_token": encode(token)}, own: own{RenewedAt: now.Add(-time.Minute)}}
	if rec.endsSoon(now) {
		t.Error("it is to live for another nine minutes")
	}
	if !rec.endsSoon(now.Add(8*time.Minute + time.Second)) {
		t.Error("its end is near")
	}
}

func TestATokenFromTheFutureIsTooOld(t *testing.T) {
	now := testNow
	for age, good := range map[time.Duration]bool{time.Minute: true, -5 * time.Second: true, 2 * time.Hour: false, -2 * time.Hour: false} {
		rec := record{fields: object{"access_token": encode(opaque)}, own: own{RenewedAt: now.Add(-age)}}
		if (want{maxAge: time.Hour}).metBy(rec, now) != good {
			t.Errorf("age %v: want %t", age, good)
		}
	}
}

func TestATokenIsRenewedAheadOfItsEnd(t *testing.T) {
	now := testNow
	jwtFor := func(from, to time.Duration) record {
		return record{fields: object{"access_token": encode(jwtOf(fmt.Sprintf(`{"iat":%d,"exp":%d}`, now.Add(from).Unix(), now.Add(to).Unix())))}}
	}
	expiresIn := func(seconds string, renewed time.Duration) record {
		return record{fields: object{"access_token": encode(opaque), "expires_in": json.RawMessage(seconds)}, own: own{RenewedAt: now.Add(renewed)}}
	}
	issued := record{fields: object{"issued_at": encode(fmt.Sprint(now.Add(-time.Hour).UnixMilli())), "expires_in": encode("3630")}}
	second := time.Second
	for _, c := range []struct {
		name string
		rec  record
		want bool
	}{
		{"JWT with 61 s left", jwtFor(-10*time.Minute, 61*second), false},
		{"JWT with 60 s left", jwtFor(-10*time.Minute, 60*second), false},
		{"JWT with 59 s left", jwtFor(-10*time.Minute, 59*second), true},
		{"JWT that has ended", jwtFor(-10*time.Minute, -second), true},
		{"short JWT, just made", jwtFor(0, 60*second), false},
		{"short JWT, over half its life", jwtFor(-31*second, 29*second), true},
		{"JWT of two minutes at half its life", jwtFor(-60*second, 60*second), false},
		{"JWT that ends before it begins", jwtFor(10*time.Minute, 5*time.Minute), false},
		{"the same, ending now", jwtFor(10*time.Minute, 59*second), true},
		{"JWT from the future", jwtFor(time.Hour, 90*time.Minute), false},
		{"expires_in with time left", expiresIn("120", -59*second), false},
		{"expires_in at its end", expiresIn("120", -61*second), true},
		{"expires_in in a string", expiresIn(`"120"`, -61*second), true},
		{"short expires_in", expiresIn("60", -29*second), false},
		{"short expires_in at its end", expiresIn("60", -31*second), true},
		{"expires_in of a clock set back", expiresIn("120", time.Hour), false},
		{"expires_in 0", expiresIn("0", -time.Hour), false},
		{"expires_in that is none", expiresIn(`"soon"`, -time.Hour), false},
		{"expires_in too far off", expiresIn("99999999999", -time.Hour), false},
		{"expires_in since issued_at", issued, true},
		{"expires_in since nobody knows", record{fields: object{"expires_in": json.RawMessage("1")}}, false},
		{"opaque", record{fields: object{"access_token": encode(opaque)}}, false},
	} {
		equal(t, c.name, c.rec.endsSoon(now), c.want)
	}
	token := expiresIn("120", 0).token()
	equal(t, "Expires", token.Expires, now.Add(2*time.Minute))
	equal(t, "Expires of a JWT", jwtFor(0, time.Hour).token().Expires.Unix(), now.Add(time.Hour).Unix())
}

func TestTheAgeOfATokenCountsFromItsRenewal(t *testing.T) {
	issued, renewed := testNow.Add(-2*time.Hour), testNow.Add(-time.Hour)
	rec := record{fields: object{"access_token": encode("a"), "issued_at": encode(fmt.Sprint(issued.UnixMilli()))}}
	equal(t, "issued", rec.since().Equal(issued), true)
	rec.own.RenewedAt = renewed
	equal(t, "renewed", rec.since(), renewed)
	for age, met := range map[time.Duration]bool{0: true, time.Hour: true, time.Hour - 1: false, -time.Hour: true} {
		equal(t, age.String(), want{maxAge: age}.metBy(rec, testNow), met)
	}
}
