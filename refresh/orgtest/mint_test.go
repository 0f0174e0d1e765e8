package orgtest

import "testing"

// A real ID, from an answer that Salesforce gave.
func TestCaseSuffix(t *testing.T) {
	if got := caseSuffix("00D41000000F8A0"); got != "EAK" {
		t.Errorf("got %s, want EAK", got)
	}
}
