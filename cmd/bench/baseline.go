package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"
	limiterredis "github.com/ulule/limiter/v3/drivers/store/redis"
)

// baselineCommand is the argument that runs a baseline server instead of the benchmark. The
// address to listen on follows and, for the naive one, the URL of Redis.
const baselineCommand = "baseline"

// tokenAnswer is the answer of both baselines. It is as long as the broker's.
type tokenAnswer struct {
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type"`
	ExpiresIn    int       `json:"expires_in"`
	ExpiresAt    time.Time `json:"expires_at"`
	RefreshAfter time.Time `json:"refresh_after"`
	GrantID      string    `json:"grant_id"`
	Mode         string    `json:"mode"`
}

func serveBaseline(ctx context.Context, args []string) error {
	e := echo.New()
	if len(args) == 1 {
		e.POST("/v1/token", plain)
	} else {
		naive, err := newNaive(args[1])
		if err != nil {
			return err
		}
		e.POST("/v1/token", naive)
	}
	return serve(ctx, args[0], e)
}

// subject verifies the JWT of a request in the usual way and returns its subject.
func subject(c echo.Context) (string, error) {
	text, _ := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return []byte(jwtSecret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(jwtIssuer), jwt.WithAudience(jwtAudience), jwt.WithExpirationRequired())
	if err != nil {
		return "", echo.NewHTTPError(http.StatusUnauthorized, err.Error())
	}
	return claims.Subject, nil
}

// answerWith sends a tokenAnswer with token.
func answerWith(c echo.Context, token string) error {
	at := time.Now().UTC().Truncate(time.Second)
	return c.JSON(http.StatusOK, tokenAnswer{
		AccessToken: token, TokenType: "api_key", ExpiresIn: 3599, ExpiresAt: at.Add(time.Hour),
		RefreshAfter: at.Add(30 * time.Minute), GrantID: "gr_01k2v5x0000000000000000000", Mode: "direct",
	})
}

// plain is baseline (c): it verifies the JWT and answers.
func plain(c echo.Context) error {
	if _, err := subject(c); err != nil {
		return err
	}
	return answerWith(c, "at_0123456789abcdefghijklmnop")
}

// newNaive returns baseline (f): a limit in ulule's Redis store, then GET of the token.
func newNaive(url string) (echo.HandlerFunc, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(options)
	store, err := limiterredis.NewStoreWithOptions(client, limiter.StoreOptions{Prefix: "naive"})
	if err != nil {
		return nil, err
	}
	limit := limiter.New(store, limiter.Rate{Period: time.Minute, Limit: 1_000_000})
	return func(c echo.Context) error {
		who, err := subject(c)
		if err != nil {
			return err
		}
		ctx := c.Request().Context()
		state, err := limit.Get(ctx, who)
		if err != nil {
			return err
		}
		if state.Reached {
			return echo.NewHTTPError(http.StatusTooManyRequests)
		}
		token, err := client.Get(ctx, "naive:token:"+who).Result()
		if errors.Is(err, redis.Nil) { // the first time
			token = "at_0123456789abcdefghijklmnop"
			err = client.Set(ctx, "naive:token:"+who, token, time.Hour).Err()
		}
		if err != nil {
			return err
		}
		return answerWith(c, token)
	}, nil
}

// self returns the path of this program, which also runs the baselines.
func self() (string, error) { return os.Executable() }
