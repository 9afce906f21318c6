package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	goyaml "github.com/goccy/go-yaml"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"casbroker/internal/testkit/services"
)

const manifests = "../../config/kubernetes/"

// kustomization is what config/kubernetes/kustomization.yaml has.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace"`
	Resources  []string `json:"resources"`
	Images     []struct {
		Name    string `json:"name"`
		NewName string `json:"newName"`
		NewTag  string `json:"newTag"`
	} `json:"images"`
	ConfigMaps []generator `json:"configMapGenerator"`
	Secrets    []generator `json:"secretGenerator"`
}

type generator struct {
	Name    string   `json:"name"`
	Files   []string `json:"files"`
	Options struct {
		DisableNameSuffixHash bool `json:"disableNameSuffixHash"`
	} `json:"options"`
}

// cluster is what the manifests make.
type cluster struct {
	kustomization kustomization
	namespace     core.Namespace
	deployment    apps.Deployment
	services      []core.Service
	disruption    policy.PodDisruptionBudget
	autoscaler    autoscaling.HorizontalPodAutoscaler
	network       networking.NetworkPolicy
}

// broker returns the container.
func (c *cluster) broker() core.Container { return c.deployment.Spec.Template.Spec.Containers[0] }

// decode decodes one manifest as the Kubernetes API does with strict validation: a field that
// there is not, or one of another type, is an error.
func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), v); err != nil {
		t.Errorf("%T: %v", v, err)
	}
}

// readCluster decodes all manifests.
func readCluster(t *testing.T) *cluster {
	t.Helper()
	var c cluster
	read := func(name string) string {
		text, err := os.ReadFile(manifests + name) //nolint:gosec // a file of ours
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	decode(t, read("kustomization.yaml"), &c.kustomization)
	for _, name := range c.kustomization.Resources {
		for _, text := range regexp.MustCompile(`(?m)^---$`).Split(read(name), -1) {
			var kind struct{ APIVersion, Kind string }
			if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
				t.Fatal(err)
			}
			switch kind.APIVersion + " " + kind.Kind {
			case "v1 Namespace":
				decode(t, text, &c.namespace)
			case "apps/v1 Deployment":
				decode(t, text, &c.deployment)
			case "v1 Service":
				c.services = append(c.services, core.Service{})
				decode(t, text, &c.services[len(c.services)-1])
			case "policy/v1 PodDisruptionBudget":
				decode(t, text, &c.disruption)
			case "autoscaling/v2 HorizontalPodAutoscaler":
				decode(t, text, &c.autoscaler)
			case "networking.k8s.io/v1 NetworkPolicy":
				decode(t, text, &c.network)
			default:
				t.Errorf("%s: %+v is not known to this test", name, kind)
			}
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return &c
}

func TestManifestsForKubernetesFitTogether(t *testing.T) {
	t.Parallel()
	c := readCluster(t)
	files, err := filepath.Glob(manifests + "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"kustomization.yaml": true, "broker.yaml": true}
	for _, name := range c.kustomization.Resources {
		want[name] = true
	}
	if len(files) != len(want) {
		t.Errorf("got %q, want each of these in kustomization.yaml", files)
	}
	labels := c.deployment.Spec.Template.Labels
	selectors := []map[string]string{
		c.deployment.Spec.Selector.MatchLabels, c.disruption.Spec.Selector.MatchLabels, c.network.Spec.PodSelector.MatchLabels, c.services[0].Spec.Selector, c.services[1].Spec.Selector,
	}
	for _, spread := range c.deployment.Spec.Template.Spec.TopologySpreadConstraints {
		selectors = append(selectors, spread.LabelSelector.MatchLabels)
	}
	for _, selector := range selectors {
		if !maps.Equal(selector, labels) || len(labels) == 0 {
			t.Errorf("got %v, want the labels of the pods, %v", selector, labels)
		}
	}
	ports := map[string]int32{}
	for _, port := range c.broker().Ports {
		ports[port.Name] = port.ContainerPort
	}
	var used []string
	for _, s := range c.services {
		used = append(used, s.Spec.Ports[0].TargetPort.StrVal)
	}
	for _, rule := range c.network.Spec.Ingress {
		used = append(used, rule.Ports[0].Port.StrVal)
	}
	for _, probe := range []*core.Probe{c.broker().StartupProbe, c.broker().LivenessProbe, c.broker().ReadinessProbe} {
		used = append(used, probe.HTTPGet.Port.StrVal)
	}
	for _, name := range used {
		if ports[name] == 0 {
			t.Errorf("the container has no port %q", name)
		}
	}
	if to := c.autoscaler.Spec.ScaleTargetRef; to.Name != c.deployment.Name || to.Kind != c.deployment.Kind || to.APIVersion != c.deployment.APIVersion {
		t.Errorf("the autoscaler is for %+v", to)
	}
	if least := c.autoscaler.Spec.MinReplicas; least == nil || *least < 3 || c.deployment.Spec.Replicas != nil {
		t.Errorf("got %v replicas or more, want 3, by the autoscaler alone", least)
	}
	if got := c.broker().Image; got != c.kustomization.Images[0].Name {
		t.Errorf("got the image %s, want that of kustomization.yaml", got)
	}
}

func TestPodsOfKubernetesAreRestricted(t *testing.T) {
	t.Parallel()
	c := readCluster(t)
	pod, broker := c.deployment.Spec.Template.Spec, c.broker()
	inPod, in := pod.SecurityContext, broker.SecurityContext
	if inPod == nil || inPod.RunAsNonRoot == nil || !*inPod.RunAsNonRoot || inPod.FSGroup == nil || inPod.SeccompProfile == nil || inPod.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("got %+v, want a pod that meets the restricted standard", inPod)
	}
	if in == nil || in.ReadOnlyRootFilesystem == nil || !*in.ReadOnlyRootFilesystem || in.AllowPrivilegeEscalation == nil || *in.AllowPrivilegeEscalation ||
		!slices.Equal(in.Capabilities.Drop, []core.Capability{"ALL"}) {
		t.Errorf("got %+v, want a read-only container without privileges", in)
	}
	if broker.Resources.Requests.Cpu().IsZero() || broker.Resources.Requests.Memory().IsZero() || broker.Resources.Limits.Memory().IsZero() {
		t.Errorf("got %+v, want requests, and a limit of memory", broker.Resources)
	}
	for _, v := range pod.Volumes {
		if v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440 || v.Secret.SecretName != c.kustomization.Secrets[0].Name) {
			t.Errorf("got %+v, want the secret readable by the group of the pod alone", v.Secret)
		}
		if v.ConfigMap != nil && v.ConfigMap.Name != c.kustomization.ConfigMaps[0].Name {
			t.Errorf("got %+v, want that of kustomization.yaml", v.ConfigMap)
		}
	}
}

// imageEnvironment returns the variables that the image has.
func imageEnvironment(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../config/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	final := string(text)[strings.LastIndex(string(text), "\nFROM "):]
	block := regexp.MustCompile(`(?m)^ENV (.*\\\n)*.*$`).FindString(final)
	variables := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(block, "ENV "), "\\\n", " "))
	if len(variables) == 0 {
		t.Fatal("the image has no variables")
	}
	return variables
}

// TestSettingsForKubernetesAreValid makes the secrets with the commands of config/README.md, and has
// the broker check the settings that a replica has.
func TestSettingsForKubernetesAreValid(t *testing.T) {
	t.Parallel()
	services.OpenSSL(t)
	c, p := readCluster(t), build(t)
	folder := t.TempDir()
	script := replace(t, section(t, "../../config/README.md", "### Kubernetes", "bash"), "cd config/kubernetes", "cd .")
	runScript(t, folder, script, "CASPARSER_API_KEY=a-key-that-is-never-used", "POSTGRES_PASSWORD=postgres-pass", "REDIS_PASSWORD=redis-pass")
	made, err := filepath.Glob(filepath.Join(folder, "secrets", "*"))
	if err != nil || len(made) != len(c.kustomization.Secrets[0].Files) {
		t.Errorf("got %v, %q, want the files of the secret", err, made)
	}
	for _, name := range c.kustomization.Secrets[0].Files {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(manifests + "broker.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "broker.yaml")
	inFolder := func(text string) string { return strings.ReplaceAll(text, "/secrets/", folder+"/secrets/") }
	if err := os.WriteFile(file, []byte(inFolder(string(text))), 0o600); err != nil { //nolint:gosec // a file of the test
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), p.Path, "config", "print", "--config", file) //nolint:gosec // our own program
	cmd.Env = imageEnvironment(t)
	for _, v := range c.broker().Env {
		cmd.Env = append(cmd.Env, v.Name+"="+inFolder(v.Value))
	}
	check := exec.CommandContext(t.Context(), p.Path, "config", "check", "--config", file) //nolint:gosec // our own program
	check.Env = cmd.Env
	if out, err := check.CombinedOutput(); err != nil || strings.Contains(string(out), "is open to") {
		t.Errorf("got %v: %s", err, out)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	c.wantInForce(t, out)
}

// wantInForce holds what the broker printed as its settings to the rest of the manifests.
func (c *cluster) wantInForce(t *testing.T, printed []byte) {
	t.Helper()
	var s struct {
		Server struct {
			Address        string
			MetricsAddress string `yaml:"metrics_address"`
			DrainDelay     string `yaml:"drain_delay"`
			DrainTimeout   string `yaml:"drain_timeout"`
		}
		Cache struct{ URL string }
		Store struct {
			URL      string
			MaxConns int `yaml:"max_conns"`
		}
	}
	if err := goyaml.Unmarshal(printed, &s); err != nil {
		t.Fatal(err)
	}
	if s.Server.Address != ":8080" || s.Server.MetricsAddress != ":9090" {
		t.Errorf("got %+v, want the ports of the container", s.Server)
	}
	if !strings.HasPrefix(s.Store.URL, "postgres://") || !strings.HasPrefix(s.Cache.URL, "redis://") {
		t.Errorf("got %q and %q, want what the files of the secret have", s.Store.URL, s.Cache.URL)
	}
	delay, err1 := time.ParseDuration(s.Server.DrainDelay)
	timeout, err2 := time.ParseDuration(s.Server.DrainTimeout)
	grace := time.Duration(*c.deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if err1 != nil || err2 != nil || delay < 5*time.Second || grace < delay+timeout+5*time.Second {
		t.Errorf("got a grace period of %s, want more than %s and %s", grace, delay, timeout)
	}
	const forClients = 97 // of the 100 connections that PostgreSQL has by default
	if most := (int(c.autoscaler.Spec.MaxReplicas) + 1) * s.Store.MaxConns; most > forClients {
		t.Errorf("%d connections to PostgreSQL, want %d at most", most, forClients)
	}
}
