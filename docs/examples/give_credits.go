// Give credits once, however often this is sent; then ask what is left. Needs a key with the scope admin.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func ask(method, path, body string) {
	request, err := http.NewRequest(method, os.Getenv("RUNS_URL")+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("RUNS_KEY"))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "order-1001-go")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 {
		panic(fmt.Sprintf("%s: %s", answer.Status, said))
	}
	fmt.Println(string(said))
}

func main() {
	ask("POST", "/api/v1/grants", `{"credits": "100", "kind": "purchase", "note": "order 1001"}`)
	ask("GET", "/api/v1/balance", "")
}
