package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	objects   = flag.Int("objects", 1000, "raw: how many objects")
	namespace = flag.String("namespace", "default", "raw: where they are")
	create    = flag.Bool("create", false, "raw: create the objects, too; else those are taken that are there")
	http1     = flag.Bool("http1", false, "raw: HTTP/1.1, with a connection for each of the -workers")
)

// These stand for what is known only when the API server has answered, and are as long.
const unknownUID, unknownVersion = "00000000-0000-4000-8000-000000000000", "100000"

type write struct {
	method, path string
	body         []byte
}

type writer struct {
	http       http.Client
	url, token string
}

func newWriter(config *rest.Config) (*writer, error) {
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(*http1)
	protocols.SetHTTP2(!*http1)
	transport := &http.Transport{TLSClientConfig: tls, MaxIdleConnsPerHost: *workers, Protocols: protocols}
	token := strings.TrimSpace(config.BearerToken)
	return &writer{http.Client{Transport: transport}, config.Host, token}, nil
}

func (w *writer) send(one write) ([]byte, error) {
	request, err := http.NewRequest(one.method, w.url+one.path, bytes.NewReader(one.body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if one.method == http.MethodPatch {
		request.Header.Set("Content-Type", string(types.MergePatchType))
	}
	if w.token != "" {
		request.Header.Set("Authorization", "Bearer "+w.token)
	}
	response, err := w.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s: %s", one.method, one.path, response.Status, answer)
	}
	return answer, err
}

// do sends an object's writes: the object itself with -create, its Secret, its status.
func (w *writer) do(writes []write) error {
	if *create {
		var made metav1.PartialObjectMetadata
		answer, err := w.send(writes[0])
		if err == nil {
			err = json.Unmarshal(answer, &made)
		}
		if err != nil {
			return err
		}
		writes = writes[1:]
		writes[0].body = bytes.ReplaceAll(writes[0].body, []byte(unknownUID), []byte(made.UID))
	}
	for _, one := range writes {
		if _, err := w.send(one); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes an object's writes with the operator's own code, but with the same keys for all.
func prepare(pair *KeyPair, data map[string][]byte, scheme *runtime.Scheme) ([]write, error) {
	object := fmt.Appendf(nil, `{"apiVersion":"qubesec.io/v1","kind":"QuantumKEMKeyPair",`+
		`"metadata":{"name":%q},"spec":{"algorithm":%q}}`, pair.Name, pair.Spec.Algorithm)
	secret := makeSecret(pair, data, scheme)
	secret.APIVersion, secret.Kind = "v1", "Secret"
	output, err := json.Marshal(secret)
	if err != nil {
		return nil, err
	}
	before := client.MergeFrom(pair.DeepCopyObject().(*KeyPair))
	secret.UID, secret.ResourceVersion = unknownUID, unknownVersion
	setStatus(pair, secret, unknownUID)
	change, err := before.Data(pair)
	pairs := "/apis/qubesec.io/v1/namespaces/" + pair.Namespace + "/quantumkemkeypairs"
	writes := []write{
		{"POST", pairs, object},
		{"POST", "/api/v1/namespaces/" + pair.Namespace + "/secrets", output},
		{"PATCH", pairs + "/" + pair.Name + "/status", change},
	}
	if !*create {
		writes = writes[1:]
	}
	return writes, err
}

// find returns the objects that are there, or those that will be.
func find(config *rest.Config, scheme *runtime.Scheme) ([]KeyPair, error) {
	if *create {
		pairs := make([]KeyPair, *objects)
		for i := range pairs {
			meta := metav1.ObjectMeta{Name: fmt.Sprint("raw-", i), Namespace: *namespace, UID: unknownUID, Generation: 1}
			pairs[i] = KeyPair{ObjectMeta: meta, Spec: KeyPairSpec{"ML-KEM-768"}}
		}
		return pairs, nil
	}
	reader, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	var list KeyPairList
	err = reader.List(context.Background(), &list, client.InNamespace(*namespace))
	if err == nil && len(list.Items) < *objects {
		err = fmt.Errorf("%d objects are there", len(list.Items))
	}
	return list.Items[:min(len(list.Items), *objects)], err
}

func prepareAll(config *rest.Config) ([][]write, error) {
	scheme := newScheme()
	data, err := secretData("ML-KEM-768")
	if err != nil {
		return nil, err
	}
	pairs, err := find(config, scheme)
	all := make([][]write, len(pairs))
	for i := 0; i < len(pairs) && err == nil; i++ {
		all[i], err = prepare(&pairs[i], data, scheme)
	}
	return all, err
}

func runRaw() error {
	config, err := loadConfig()
	if err != nil {
		return err
	}
	w, err := newWriter(config)
	if err != nil {
		return err
	}
	all, err := prepareAll(config)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(*workers)
	started := time.Now()
	for _, writes := range all {
		group.Go(func() error { return w.do(writes) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = fmt.Printf("{\"objects\":%d,\"seconds\":%.6f}\n", len(all), time.Since(started).Seconds())
	return err
}
