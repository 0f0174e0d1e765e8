package refresh

import (
	"context"
	"fmt"
	"io"
	"os"
)

// childEnv makes the test binary a child that spends the login on its stdin, and prints the access
// token or the error. Go reads $SSL_CERT_FILE and the proxies once in a process.
const childEnv = "REFRESH_TEST_CHILD"

func child() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	data, _ := io.ReadAll(os.Stdin)
	rec, err := parseRecord(data)
	if err != nil {
		fmt.Print(err)
		return
	}
	answer, refusal := (&Source{}).exchange(ctx, rec)
	if refusal != nil {
		fmt.Print(refusal, "; lost: ", refusal.Lost)
		return
	}
	fmt.Print(fieldText(answer["access_token"]))
}
