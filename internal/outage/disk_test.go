//go:build unix

package outage

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
)

// TestFullDiskOfSQLite fills the disk of the database file under load.
func TestFullDiskOfSQLite(t *testing.T) {
	t.Parallel()
	disk := services.SmallDisk(t, "48m")
	broker := observedBroker(t, "sqlite:"+filepath.Join(disk, "broker.db"))
	broker.Start()
	o := databaseOutage{name: "full", reason: "database or disk is full", remedy: "free space on the disk of the database file", tokens: true, reads: true}
	o.run(t, broker, func() (end func()) { return services.FillDisk(t, disk) })
}

// TestFullDiskOfLogAndExports fills the disk of the file that the log is appended to, and of the
// folder for exports: requests go on, an export is refused before it begins.
func TestFullDiskOfLogAndExports(t *testing.T) {
	t.Parallel()
	disk := services.SmallDisk(t, "8m")
	log, err := os.Create(filepath.Join(disk, "broker.log")) //nolint:gosec // of the test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	p := onDatabase(t, "sqlite:"+filepath.Join(services.TempDir(t), "broker.db"), startVendor(t), "CASBROKER_STORE_EXPORT_DIR="+filepath.Join(disk, "exports"))
	if err := os.Mkdir(filepath.Join(disk, "exports"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.Prepare()
	p.Cmd.Stdout, p.Cmd.Stderr = log, log
	p.Run()
	jwt := brokertest.Token(t, "asha")
	for i := range 3 { // an export of more than is kept in memory
		p.Must(jwt, http.MethodPost, "/v1/portfolios", statementOf(fmt.Sprint("Fund ", i, strings.Repeat("x", 100)), 900).payload, http.StatusCreated, nil)
	}
	p.Must(jwt, http.MethodGet, "/v1/me/export", nil, http.StatusOK, nil)
	free := services.FillDisk(t, disk)
	for range 20 {
		p.Must(jwt, http.MethodPost, "/v1/token", nil, http.StatusOK, nil)
	}
	r, err := p.Call(t.Context(), jwt, http.MethodGet, "/v1/me/export", nil)
	if err != nil || r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || strings.Contains(string(r.Body), "space") {
		t.Errorf("an export: got %v, %d %.300s, want 503 with Retry-After and without the reason", err, r.Status, r.Body)
	}
	free()
	before, err := log.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p.Must(jwt, http.MethodGet, "/v1/me/export", nil, http.StatusOK, nil)
	p.Stop()
	lines, err := os.ReadFile(log.Name())
	lines = lines[min(before.Size(), int64(len(lines))):]
	if err != nil || !strings.Contains(string(lines), `"/v1/me/export"`) {
		t.Errorf("the log after the end: got %v, %.300s, want the requests from then on", err, lines)
	}
}
