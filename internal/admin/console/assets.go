package console

import (
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
)

// assetsPath is where the files that browsers fetch are.
const assetsPath = home + "assets/"

// tagging returns what gives each of the files in assets an ETag made of what is in it:
// files that are built in have no time by which a browser could ask for a newer one.
func tagging(assets fs.FS) (func(http.Handler) http.Handler, error) {
	tags := make(map[string]string)
	err := fs.WalkDir(assets, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(assets, path)
		sum := sha256.Sum256(data)
		tags[assetsPath+path] = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
		return err
	})
	tag := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if is, ok := tags[r.URL.Path]; ok {
				w.Header().Set("ETag", is)
			}
			next.ServeHTTP(w, r)
		})
	}
	return tag, err
}
