// The benchmark's peer: what a careful author would write with controller-runtime to do our operator's work for one
// kind, QuantumKEMKeyPair, and a writer of ready-made bytes in Go.
//
//	peer-go [FLAGS]       the operator; prints "ready" on a line of its own when its caches have synced
//	peer-go raw [FLAGS]   the writer; prints one line of JSON
//
// Beyond one Secret and one status for each object it does nothing of what ours does besides: no names, templates and
// retention of Secrets, no repair of a damaged one, no check of what it made, no Events, no admission.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// -kubeconfig is controller-runtime's own flag.
var (
	qps     = flag.Float64("qps", 0, "requests a second for each kind; 0: controller-runtime's default, -1: no limit")
	workers = flag.Int("workers", 1, "how many objects are reconciled at a time, or written")

	metadataOnly = flag.Bool("metadata-only", false, "watch and keep only the metadata of Secrets, and read one when its content is needed")
)

func loadConfig() (*rest.Config, error) {
	config, err := ctrl.GetConfig()
	if err == nil && *qps != 0 {
		config.QPS, config.Burst = float32(*qps), int(2**qps) // client-go's own are 5 and 10
	}
	return config, err
}

// announce prints "ready" when the informers of both kinds have synced.
func announce(mgr ctrl.Manager) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, kind := range []client.Object{&KeyPair{}, cachedSecret(*metadataOnly)} {
			if _, err := mgr.GetCache().GetInformer(ctx, kind); err != nil {
				return err
			}
		}
		fmt.Println("ready")
		return nil
	}
}

func runOperator() error {
	config, err := loadConfig()
	if err != nil {
		return err
	}
	noMetrics := metricsserver.Options{BindAddress: "0"}
	mgr, err := ctrl.NewManager(config, ctrl.Options{Scheme: newScheme(), Metrics: noMetrics})
	if err != nil {
		return err
	}
	if err := (&reconciler{mgr.GetClient(), mgr.GetAPIReader(), *metadataOnly}).setUp(mgr, *workers); err != nil {
		return err
	}
	if err := mgr.Add(manager.RunnableFunc(announce(mgr))); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

func main() {
	ctrl.SetLogger(klog.Background())
	run, arguments := runOperator, os.Args[1:]
	if len(arguments) > 0 && arguments[0] == "raw" {
		run, arguments = runRaw, arguments[1:]
	}
	_ = flag.CommandLine.Parse(arguments) // it ends the program by itself
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peer-go:", err)
		os.Exit(1)
	}
}
