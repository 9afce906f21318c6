package token

import (
	"slices"

	"casbroker/internal/fault"
)

// Features is a set of what a gateway token may be used for.
type Features uint8

// The features. The bits are part of tokens and must not change.
const (
	FeatureParse        Features = 1 << iota // parse account statements
	FeatureContractNote                      // parse contract notes of brokers
	FeatureFetch                             // get statements of CDSL with an OTP
	FeatureGenerate                          // have a statement mailed to the investor
	FeatureInboundEmail                      // forwarding addresses
	FeatureInbox                             // mailboxes of the investor
)

// featureNames are the names of the features, in the order of their bits. Package gateway
// has the same names.
var featureNames = []string{"parse", "contract_note", "fetch", "generate", "inbound_email", "inbox"}

// ParseFeatures returns the set of the features names. It returns false for an unknown
// name, and if there is none.
func ParseFeatures(names []string) (f Features, ok bool) {
	for _, name := range names {
		i := slices.Index(featureNames, name)
		if i < 0 {
			return 0, false
		}
		f |= 1 << i
	}
	return f, f != 0
}

// Names returns the names of the features in f.
func (f Features) Names() []string {
	var names []string
	for i, name := range featureNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

var (
	errMode = fault.New(fault.Unprocessable, "invalid_mode", "This broker hands out no tokens of this mode.").
		At(fault.Field{Pointer: "/mode", Detail: "must be a mode that the broker is configured for"})
	errFeatures = fault.New(fault.Unprocessable, "invalid_features",
		"features must be a list of one or more features of this broker; leave it out for all.").
		At(fault.Field{Pointer: "/features", Detail: "must be one or more known features"})
	errDirectFeatures = fault.New(fault.Unprocessable, "invalid_features",
		"features apply to gateway tokens only: the vendor does not limit what a direct token may do.").
		At(fault.Field{Pointer: "/features", Detail: "must be left out for the mode direct"})
)
