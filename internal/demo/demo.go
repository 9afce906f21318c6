// Package demo serves the demo app: a page on which a fictional user imports a
// statement. It takes the place of an app's own page and back end, and signs users
// in without a password. It also generates a usage history for the operators'
// charts.
package demo

import (
	"encoding/hex"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// Claims and lifetime of the tokens of demo users, which the verifier has to match.
const (
	Issuer    = "casbroker-demo"
	Audience  = "casbroker"
	Algorithm = "HS256"
	// TokenLife is the lifetime of a sign-in.
	TokenLife = 15 * time.Minute
)

var errUser = fault.New(fault.Unprocessable, "no_such_user", "There is no such demo user; GET /demo/config lists them.").
	At(fault.Field{Pointer: "/user", Detail: "is not the id of a demo user"})

// User is a demo user.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Users are the demo users, all fictional.
var Users = []User{
	{ID: "asha", Name: "Asha Verma"},
	{ID: "rohan", Name: "Rohan Iyer"},
	{ID: "meera", Name: "Meera Nair"},
}

// NewSecret returns a random secret: 32 bytes as 64 hexadecimal digits.
func NewSecret() secret.Text {
	return secret.Text(hex.EncodeToString([]byte(secret.RandomKey().Reveal())))
}

// sign returns a JWT for the demo user with this id.
func sign(id string, key secret.Text, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: Issuer, Audience: jwt.ClaimStrings{Audience}, Subject: id,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(TokenLife)),
	})
	return t.SignedString([]byte(key.Reveal()))
}
