package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/app"
	"casbroker/internal/secret"
)

// The environment variables of broker parse and broker link.
const (
	serviceKeyVariable     = "BROKER_SERVICE_KEY"
	serviceKeyFileVariable = "BROKER_SERVICE_KEY_FILE"
	passwordVariable       = "BROKER_PDF_PASSWORD" //nolint:gosec // a name
)

const (
	// parseTimeout bounds one statement: longer than a broker waits for the vendor.
	parseTimeout = 12 * time.Minute
	// maxStatement is more than the vendor takes, in bytes.
	maxStatement = 11 << 20
	// maxBusy is how often a statement is sent again while the broker is busy.
	maxBusy = 5
	// longestWait bounds the wait before that.
	longestWait = 2 * time.Minute
)

var (
	errNoServiceKey = errors.New("no service key: use --key-file, or set " + serviceKeyFileVariable + " or " + serviceKeyVariable)
	errServiceKey   = usageError{errors.New("the service key is malformed: want one line without spaces")}
	errSomeFailed   = errors.New("not all statements were saved; run the same command again to try those again")
	errNoFiles      = usageError{errors.New("the folder has no PDF files")}
)

// serviceKeyForm matches service keys, and JWTs of services.
var serviceKeyForm = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)

type parseCommand struct {
	Path         name `arg:"" help:"A PDF file, a folder whose PDF files are sent one after the other, or - for a PDF on standard input."`
	User         name `required:"" placeholder:"app:42" help:"The user whose statements these are."`
	PasswordFile name `placeholder:"FILE" help:"A file with the password of the PDFs; or set BROKER_PDF_PASSWORD. It is usually the PAN in capital letters."`
	Report       name `placeholder:"FILE" help:"Where the result of each file is written, one JSON object a line. A file that is in it as saved for the user is not sent again, so an interrupted run goes on. Default for a folder: broker-parse.jsonl in it."`
	URL          name `name:"url" placeholder:"URL" help:"The running broker, such as https://broker.example; or set BROKER_URL."`
	KeyFile      name `name:"key-file" placeholder:"FILE" help:"A file with a service key (scope statements:write); or set BROKER_SERVICE_KEY_FILE or BROKER_SERVICE_KEY."`
}

// parsed is the result of one statement, a line of the report.
type parsed struct {
	User        string `json:"user"`
	File        string `json:"file"`
	SHA256      string `json:"sha256"`
	PortfolioID string `json:"portfolio_id,omitempty"`
	Created     bool   `json:"created,omitempty"`
	Code        string `json:"code,omitempty"`
	Error       string `json:"error,omitempty"`
}

// Run has a running broker parse and save statements.
func (c parseCommand) Run(ctx context.Context, t *Terminal) error {
	base, err := brokerFlags{URL: c.URL}.base(t)
	if err != nil {
		return err
	}
	key, err := serviceKey(t, c.KeyFile, "statements:write")
	if err != nil {
		return err
	}
	password, err := c.password(t)
	if err != nil {
		return err
	}
	files, folder, err := c.files()
	if err != nil {
		return err
	}
	u := uploader{
		client: &client{base: strings.TrimRight(base.String(), "/"), http: newHTTPClient(base.Scheme)}, terminal: t,
		user: c.User, key: key, password: password,
	}
	defer u.client.http.CloseIdleConnections()
	report := string(c.Report)
	if report == "" && folder {
		report = filepath.Join(string(c.Path), "broker-parse.jsonl")
	}
	return u.all(ctx, files, report)
}

// serviceKey reads the service key, from file unless that is "". scope is the one that it needs.
func serviceKey(t *Terminal, file name, scope string) (secret.Text, error) {
	path, text := string(file), ""
	if path == "" {
		path, text = t.variable(serviceKeyFileVariable), t.variable(serviceKeyVariable)
	}
	if path != "" {
		content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return "", usageError{fmt.Errorf("read the service key: %w", err)}
		}
		t.warnIfExposed(path, "your key")
		text = string(content)
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", usageError{fmt.Errorf("%w; to make one, run broker service-key with the scope %s", errNoServiceKey, scope)}
	case !serviceKeyForm.MatchString(text):
		return "", errServiceKey
	}
	return secret.Text(text), nil
}

// password reads the password of the PDFs, "" if there is none.
func (c parseCommand) password(t *Terminal) (secret.Text, error) {
	if c.PasswordFile == "" {
		return secret.Text(t.variable(passwordVariable)), nil
	}
	content, err := os.ReadFile(string(c.PasswordFile))
	if err != nil {
		return "", usageError{fmt.Errorf("read the password: %w", err)}
	}
	t.warnIfExposed(string(c.PasswordFile), "the password of PDFs")
	return secret.Text(strings.TrimRight(string(content), "\r\n")), nil
}

// files returns the files to send, and whether the path is a folder.
func (c parseCommand) files() (list []string, folder bool, err error) {
	path := string(c.Path)
	if path == "-" {
		return []string{path}, false, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, usageError{err}
	}
	if !info.IsDir() {
		return []string{path}, false, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, false, usageError{err}
	}
	for _, e := range entries {
		if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".pdf") {
			list = append(list, filepath.Join(path, e.Name()))
		}
	}
	if len(list) == 0 {
		return nil, true, errNoFiles
	}
	return list, true, nil
}

// uploader sends statements of one user to a broker.
type uploader struct {
	client   *client
	terminal *Terminal
	user     name
	key      secret.Text
	password secret.Text
}

// all sends the files and prints and reports the results.
func (u uploader) all(ctx context.Context, files []string, report string) error {
	saved, err := u.savedBefore(report)
	if err != nil {
		return err
	}
	failed := 0
	for i, path := range files {
		p, pdf, err := u.read(path)
		if err != nil {
			return err
		}
		known := slices.Contains(saved, p.SHA256)
		if len(files) > 1 {
			_, _ = fmt.Fprintf(u.terminal.Err, "%s %d of %d: %s%s\n", bar(i+1, len(files)), i+1, len(files), strings.Map(printable, p.File), either(known, " (saved before)", ""))
		}
		if known {
			continue
		}
		if err := u.send(ctx, &p, pdf); err != nil {
			r, refused := errors.AsType[*refusal](err)
			if !refused || r.exit() == ExitDenied || len(files) == 1 {
				return err
			}
			failed++
			p.Code, p.Error = r.Code, r.Detail
		}
		if err := u.print(p, report); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d: %w", failed, len(files), errSomeFailed)
	}
	return nil
}

// bar returns a progress bar. It is a line of its own for each file, so that it also reads
// well in a log.
func bar(done, all int) string {
	const width = 20
	filled := width * done / all
	return "[" + strings.Repeat("#", filled) + strings.Repeat("-", width-filled) + "]"
}

// savedBefore returns the hashes of the statements that a report has as saved for the user.
func (u uploader) savedBefore(report string) (list []string, err error) {
	if report == "" {
		return nil, nil
	}
	content, err := os.ReadFile(report) //nolint:gosec // the operator names the file
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("read the report: %w", err)}
	}
	for line := range bytes.Lines(content) {
		var p parsed
		if json.Unmarshal(line, &p) == nil && p.PortfolioID != "" && p.User == string(u.user) { // the last line may be incomplete
			list = append(list, p.SHA256)
		}
	}
	return list, nil
}

// read reads the PDF at path.
func (u uploader) read(path string) (p parsed, pdf []byte, err error) {
	from := u.terminal.In
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // the operator names the file
		if err != nil {
			return p, nil, usageError{err}
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	pdf, err = io.ReadAll(io.LimitReader(from, maxStatement+1))
	switch {
	case err != nil:
		return p, nil, fmt.Errorf("read %s: %w", path, err)
	case len(pdf) > maxStatement:
		return p, nil, usageError{fmt.Errorf("%s is longer than 10 MB", path)}
	}
	sum := sha256.Sum256(pdf)
	return parsed{User: string(u.user), File: filepath.Base(path), SHA256: hex.EncodeToString(sum[:])}, pdf, nil
}

// send sends a PDF, again while the broker is busy, and puts the answer into p.
func (u uploader) send(ctx context.Context, p *parsed, pdf []byte) error {
	for try := 1; ; try++ {
		err := u.sendOnce(ctx, p, pdf)
		r, refused := errors.AsType[*refusal](err)
		busy := refused && (r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable || r.Status == http.StatusConflict)
		if !busy || r.wait == 0 || r.wait > longestWait || try == maxBusy {
			return err
		}
		select {
		case <-time.After(r.wait):
		case <-ctx.Done():
			return errCutOff
		}
	}
}

func (u uploader) sendOnce(ctx context.Context, p *parsed, pdf []byte) error {
	ctx, cancel := context.WithTimeout(ctx, parseTimeout)
	defer cancel()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("pdf_file", "statement.pdf")
	if err == nil {
		_, err = file.Write(pdf)
	}
	err = errors.Join(err, form.WriteField("password", u.password.Reveal()), form.Close())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.client.base+"/v1/users/"+u.user.escaped()+"/statements", &body)
	if err != nil {
		return usageError{err}
	}
	req.Header.Set("User-Agent", "casbroker-cli "+app.BuildInfo().String())
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+u.key.Reveal())
	req.Header.Set("Idempotency-Key", "parse-"+p.SHA256)
	res, err := u.client.http.Do(req)
	if err != nil {
		return u.client.unanswered(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return u.client.refused(res)
	}
	var answer struct {
		ID      string `json:"id"`
		Created bool   `json:"created"`
	}
	if err := json.UnmarshalRead(io.LimitReader(res.Body, maxAnswer), &answer); err != nil || answer.ID == "" {
		return formError{errors.New("it has no portfolio")}
	}
	p.PortfolioID, p.Created = answer.ID, answer.Created
	return nil
}

// print prints a result, and adds it to the report.
func (u uploader) print(p parsed, report string) error {
	text := fmt.Sprintf("%s\t%s", p.File, either(p.Created, p.PortfolioID, p.PortfolioID+" (known)"))
	if p.PortfolioID == "" {
		text = fmt.Sprintf("%s\tnot saved: %s (%s)", p.File, p.Error, p.Code)
	}
	if _, err := fmt.Fprintln(u.terminal.Out, strings.Map(printable, strings.ReplaceAll(text, "\t", "  "))); err != nil {
		return err
	}
	if report == "" {
		return nil
	}
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(report, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}
