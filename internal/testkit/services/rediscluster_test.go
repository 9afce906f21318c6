package services_test

import (
	"testing"

	"casbroker/internal/testkit/services"
)

func TestReplicaOfAClusterTakesOver(t *testing.T) {
	t.Parallel()
	services.OwnRedisCluster(t).ReplaceMaster(t)
}
