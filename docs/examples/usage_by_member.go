// What each member used in the last seven days, the newest runs included.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	request, err := http.NewRequest("GET", os.Getenv("RUNS_URL")+"/api/v1/usage/by/member?period=7d", nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("RUNS_KEY"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 200 {
		panic(fmt.Sprintf("%s: %s", answer.Status, said))
	}
	fmt.Println(string(said))
}
