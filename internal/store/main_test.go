package store_test

import (
	"os"
	"testing"

	"casbroker/internal/testkit/services"
)

func TestMain(m *testing.M) {
	if code, ran := services.RunInNamespace(); ran { // for small disks
		os.Exit(code)
	}
	os.Exit(m.Run())
}
