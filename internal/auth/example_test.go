package auth_test

import (
	"context"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

func ExampleAuthenticator_Authenticate() {
	const key = "Kq3vTz8mWx5rLb9nHc2yPd7sGj4fUe6aRwQh"
	a, err := auth.New(context.Background(), auth.Options{Verifiers: []auth.Verifier{{
		Name: "app", Issuer: "https://id.example", Audience: []string{"casbroker"},
		Algorithms: []string{"HS256"}, Secret: secret.Text(key),
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, audience := range []string{"casbroker", "another-service"} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"iss": "https://id.example", "aud": audience, "sub": "asha",
			"exp": time.Now().Add(time.Hour).Unix(),
		}).SignedString([]byte(key))
		if err != nil {
			fmt.Println(err)
			return
		}
		who, err := a.Authenticate(context.Background(), token)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(who.Subject, "is a", who.Roles)
	}
	// Output:
	// app:asha is a user
	// invalid_token: The token's audience (aud) is not accepted by this service.: compare it with auth.verifiers[].audience
}
