package services_test

import (
	"os"
	"testing"

	"casbroker/internal/testkit/services"
)

// TestProgramsAreInstalled reports which programs are missing, so that their tests are
// skipped. With CI=true it fails instead.
func TestProgramsAreInstalled(t *testing.T) {
	for _, p := range services.Programs() {
		switch {
		case p.Path != "":
			t.Logf("%s: %s", p.Name, p.Path)
		case os.Getenv("CI") == "true":
			t.Errorf("%s is not installed, and with CI=true nothing is skipped", p.Name)
		default:
			t.Logf("!!! %s is NOT INSTALLED: the tests that need it are SKIPPED !!!", p.Name)
		}
	}
}

func TestStoppedRedisCanBeStartedAgain(t *testing.T) {
	r := services.OwnRedis(t)
	r.Stop()
	r.Start(t)
}

func TestEachTestGetsItsOwnDatabase(t *testing.T) {
	if a, b := services.Postgres(t), services.Postgres(t); a == b {
		t.Fatalf("both tests got %s", a)
	}
}
