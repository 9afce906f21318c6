// Package demo serves the demo app: a page on which one of a few invented users
// imports a statement. It signs users in without a password, so that it can be
// tried at once; it stands where an app's own back end and page would. It also makes
// up a past for the charts of operators.
package demo

import (
	"encoding/hex"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// What the tokens of demo users say; a verifier for them has to agree.
const (
	Issuer    = "casbroker-demo"
	Audience  = "casbroker"
	Algorithm = "HS256"
	// TokenLife is how long a sign-in lasts.
	TokenLife = 15 * time.Minute
)

var errUser = fault.New(fault.Unprocessable, "no_such_user", "There is no such demo user; GET /demo/config lists them.").
	At(fault.Field{Pointer: "/user", Detail: "is not the id of a demo user"})

// User is somebody who may sign in.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Users are the invented people of the demo.
var Users = []User{
	{ID: "asha", Name: "Asha Verma"},
	{ID: "rohan", Name: "Rohan Iyer"},
	{ID: "meera", Name: "Meera Nair"},
}

// NewSecret returns a signing secret that holds for this run of the program.
func NewSecret() secret.Text {
	return secret.Text(hex.EncodeToString([]byte(secret.RandomKey().Reveal())))
}

// sign returns a JWT for the demo user with this id, as an app's own back end would.
func sign(id string, key secret.Text, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: Issuer, Audience: jwt.ClaimStrings{Audience}, Subject: id,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(TokenLife)),
	})
	return t.SignedString([]byte(key.Reveal()))
}
