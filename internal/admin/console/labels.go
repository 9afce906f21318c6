package console

import (
	"hash/fnv"
	"slices"
	"strconv"

	"casbroker/internal/admin"
)

// refusals are why calls are refused: the codes of the API and what they mean. The
// first tintCount have colours of their own, so the commonest are first.
var refusals = []choice{
	{"invalid_token", "token not valid"},
	{"unauthenticated", "not signed in"},
	{"subject_blocked", "user blocked"},
	{"rate_limited", "limit reached"},
	{"forbidden", "role missing"},
	{"wrong_key", "wrong admin key"},
	{"session_ended", "session ended"},
	{"cross_origin", "sent by another site"},
	{"insecure_sign_in", "sign-in without https"},
	{"no_admin_keys", "no admin keys set"},
	{"large_save_under_way", "large save under way"},
	{"export_under_way", "export under way"},
}

// limits are the limits that calls may run into, in the order of refusals.
var limits = []choice{
	{"token-user", "tokens, of one user"},
	{"token-address", "tokens, of one address"},
	{"failures", "failed attempts, of one address"},
	{"sign_in-address", "wrong admin keys, of one address"},
	{"save-user", "saving, of one user"},
	{"read-user", "reading, of one user"},
	{"admin-user", "operating, of one user"},
	{"token-all", "tokens, of all"},
	{"save-address", "saving, of one address"},
	{"save-all", "saving, of all"},
	{"read-address", "reading, of one address"},
	{"read-all", "reading, of all"},
	{"admin-address", "operating, of one address"},
	{"admin-all", "operating, of all"},
	{"sign_in-user", "wrong admin keys, of one user"},
	{"sign_in-all", "wrong admin keys, of all"},
}

// tintCount is how many colours there are for labels; it is more than mostLabels.
const tintCount = 8

// tintsOf chooses colours for labels. A label has the same in every picture: one of the
// first of known by its place there, any other one by its name, unless another label of
// the picture has that already.
func tintsOf(labels []string, known []choice) map[string]string {
	tints, taken := make(map[string]string, len(labels)), [tintCount]bool{}
	take := func(label string, tint int) {
		taken[tint] = true
		tints[label] = "tint-" + strconv.Itoa(tint+1)
	}
	var others []string
	for _, label := range labels {
		if at := slices.IndexFunc(known, func(c choice) bool { return c.Value == label }); at >= 0 && at < tintCount {
			take(label, at)
		} else {
			others = append(others, label)
		}
	}
	slices.Sort(others)
	for _, label := range others {
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(label)) // a hash takes everything
		tint := int(sum.Sum32() % tintCount)
		for taken[tint] {
			tint = (tint + 1) % tintCount
		}
		take(label, tint)
	}
	return tints
}

// partRevocations is the part that is knowledge and no machine.
const partRevocations = "revocations"

// parts are what the broker leans on, where it is not called by its name.
var parts = []choice{{partRevocations, "blocks and revocations"}}

// doing is how a part does.
var doing = []choice{
	{admin.OK, "works"}, {admin.Degraded, "works in part"}, {admin.Down, "is down"}, {admin.Unused, "is not used"},
}

// knowing is how it stands with what there is to know.
var knowing = []choice{
	{admin.OK, "are known"}, {admin.Degraded, "are known with delay"}, {admin.Down, "are not known"}, {admin.Unused, "are not used"},
}
