package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"casbroker/internal/admin"
	"casbroker/internal/apikey"
	"casbroker/internal/check"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/telemetry"
)

// readSecrets returns the settings with the secrets of callers and operators that are in
// files.
func readSecrets(c config.Config) (config.Config, error) {
	var wrong check.Errors
	// read sets value from file. If that cannot be read, value gets one that is valid, so that
	// no other error follows from it.
	read := func(key, file string, value *secret.Text, valid secret.Text) {
		if file == "" {
			return
		}
		var err error
		if *value, err = secret.ReadFile(file); err != nil {
			wrong.Add(key, "%v", err)
			*value = valid
		}
	}
	random := secret.Text(secret.RandomToken() + secret.RandomToken())
	hash := secret.Text(secret.HashKey(random))
	c.Auth.Verifiers = slices.Clone(c.Auth.Verifiers)
	for i := range c.Auth.Verifiers {
		v, key := &c.Auth.Verifiers[i], fmt.Sprintf("auth.verifiers[%d]", i)
		read(key+".secret_file", v.SecretFile, &v.Secret, random)
		v.Secrets = slices.Clone(v.Secrets)
		for n := range v.Secrets {
			read(fmt.Sprintf("%s.secrets[%d].secret_file", key, n), v.Secrets[n].SecretFile, &v.Secrets[n].Secret, random)
		}
	}
	c.Auth.ServiceKeys = slices.Clone(c.Auth.ServiceKeys)
	for i := range c.Auth.ServiceKeys {
		k, key := &c.Auth.ServiceKeys[i], fmt.Sprintf("auth.service_keys[%d]", i)
		read(key+".hash_file", k.HashFile, &k.Hash, hash)
		if k.PreviousFile != "" {
			value, err := secret.ReadFile(k.PreviousFile)
			wrong.Require(err == nil || errors.Is(err, secret.ErrEmptyFile), key+".previous_hash_file", "%v", err)
			k.PreviousHash = value
		}
	}
	c.Admin.Keys = slices.Clone(c.Admin.Keys)
	for i := range c.Admin.Keys {
		k := &c.Admin.Keys[i]
		read(fmt.Sprintf("admin.keys[%d].hash_file", i), k.HashFile, &k.Hash, hash)
	}
	if c.Tracing.HeadersFile != "" {
		const key = "tracing.headers_file"
		read(key, c.Tracing.HeadersFile, &c.Tracing.Headers, "")
		_, _, err := c.Tracing.Header()
		wrong.Require(err == nil, key, "%v", err)
	}
	return c, wrong.Join()
}

// secretFiles reads files with secrets again, and puts what has changed into use. A file that
// cannot be read, or has something that cannot be used, changes nothing: what was read before
// is used still.
type secretFiles struct {
	log    *slog.Logger
	groups []secretGroup

	checking sync.Mutex // held by check

	mu       sync.Mutex
	problems map[string]string // by setting
}

// secretGroup is secrets that are replaced together.
type secretGroup struct {
	files []*secretFile
	use   func(values []secret.Text) error // gets the values of all files, in order
}

// secretFile is a secret of the settings and its file.
type secretFile struct {
	setting  string                  // that names the file
	path     string                  // "" for a secret that is not in a file
	value    secret.Text             // in use
	valid    func(secret.Text) error // says whether a value can be used
	optional bool                    // an empty file means that there is none
	public   bool                    // it is no secret
	trimmed  bool                    // spaces around it do not count

	next    secret.Text // what the file had at the last check
	changed bool        // next is another value than the one in use
	failed  bool        // at the last check
}

// add adds secrets, unless none of them is in a file.
func (s *secretFiles) add(use func(values []secret.Text) error, files ...*secretFile) {
	if slices.ContainsFunc(files, func(f *secretFile) bool { return f.path != "" }) {
		s.groups = append(s.groups, secretGroup{files: files, use: use})
	}
}

// check reads all files. It is called every few seconds. A file counts once two checks in a
// row have found the same: it may be read while it is written.
func (s *secretFiles) check(context.Context) error {
	s.checking.Lock()
	defer s.checking.Unlock()
	for _, g := range s.groups {
		s.checkGroup(g)
	}
	return nil
}

func (s *secretFiles) checkGroup(g secretGroup) {
	values := make([]secret.Text, len(g.files))
	var changed []*secretFile
	for i, f := range g.files {
		values[i] = f.value
		if f.path == "" {
			continue
		}
		value, err := f.read()
		if err != nil {
			f.changed = false
			s.setProblem(f, err)
			continue
		}
		switch {
		case value == f.value:
			f.changed = false
			s.setSolved(f)
		case f.changed && value == f.next:
			values[i] = value
			changed = append(changed, f)
		default:
			f.next, f.changed, f.failed = value, true, false
		}
	}
	if len(changed) > 0 {
		s.replace(g, values, changed)
	}
}

// read returns what the file has, or why that cannot be used.
func (f *secretFile) read() (secret.Text, error) {
	value, err := secret.ReadFile(f.path)
	if f.trimmed {
		value = secret.Text(strings.TrimSpace(value.Reveal()))
	}
	switch {
	case f.optional && errors.Is(err, secret.ErrEmptyFile):
		return "", nil
	case err != nil:
		return "", err
	case value == f.value:
		return value, nil
	default:
		return value, f.valid(value)
	}
}

// replace puts values into use, which differ from those in use for changed.
func (s *secretFiles) replace(g secretGroup, values []secret.Text, changed []*secretFile) {
	for i, f := range g.files {
		if !f.public && values[i] != f.value {
			telemetry.HideSecret(s.log, values[i])
		}
	}
	err := g.use(values)
	for _, f := range changed {
		if err != nil {
			s.setProblem(f, err)
			continue
		}
		f.value, f.changed = f.next, false
		s.log.Info("a secret was replaced, since its file has another one", "setting", f.setting)
		s.setSolved(f)
	}
}

// setProblem reports, the second time in a row, that a file cannot be used.
func (s *secretFiles) setProblem(f *secretFile, err error) {
	if !f.failed {
		f.failed = true
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problems[f.setting] != err.Error() {
		s.log.Error("the file of a secret cannot be used; what was read before, if anything, is used still", "setting", f.setting, "error", err)
		s.problems[f.setting] = err.Error()
	}
}

func (s *secretFiles) setSolved(f *secretFile) {
	f.failed = false
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.problems[f.setting]; ok {
		delete(s.problems, f.setting)
		s.log.Info("the file of a secret can be used again", "setting", f.setting)
	}
}

// unusable describes the files that cannot be used, also those of API keys, whose state is
// keys.
func (s *secretFiles) unusable(keys []apikey.Status) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for setting, problem := range s.problems {
		list = append(list, setting+": "+problem)
	}
	slices.Sort(list)
	for _, k := range keys {
		if k.BadFile != "" {
			list = append(list, "the file of the API key "+k.Name+": "+k.BadFile)
		}
	}
	return list
}

// health reports files that cannot be used.
func (s *secretFiles) health(keys []apikey.Status) admin.Component {
	p := admin.Component{Name: "secret_files", State: admin.OK}
	if list := s.unusable(keys); len(list) > 0 {
		p.State, p.Note = admin.Degraded, "What was read before, if anything, is used still. "+strings.Join(list, "; ")
	}
	return p
}
