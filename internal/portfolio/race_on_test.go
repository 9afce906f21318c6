//go:build race

package portfolio_test

// raceOverhead is what the race detector adds to what a large save allocates, in bytes.
const raceOverhead = 5 << 20

// raceDivisor is by how much fewer statements are generated under the race detector.
const raceDivisor = 3
