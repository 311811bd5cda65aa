package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// KeyPair is a QuantumKEMKeyPair, as far as the peer knows it.
type KeyPair struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              KeyPairSpec   `json:"spec"`
	Status            KeyPairStatus `json:"status,omitzero"`
}

type KeyPairSpec struct {
	Algorithm string `json:"algorithm"` // the API server puts in ML-KEM-768
}

type KeyPairStatus struct {
	Status             string             `json:"status,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Algorithm          string             `json:"algorithm,omitempty"`
	Fingerprint        string             `json:"fingerprint,omitempty"`
	SecretRef          SecretRef          `json:"secretRef,omitzero"`
	PublicKeyPEM       string             `json:"publicKeyPEM,omitempty"`
	LastUpdateTime     metav1.Time        `json:"lastUpdateTime,omitzero"`
	ReconcileID        string             `json:"reconcileID,omitempty"`
}

type SecretRef struct {
	Name            string    `json:"name"`
	UID             types.UID `json:"uid,omitempty"`
	ResourceVersion string    `json:"resourceVersion,omitempty"`
}

type KeyPairList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []KeyPair `json:"items"`
}

func (in *KeyPair) DeepCopyObject() runtime.Object {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status.Conditions = slices.Clone(in.Status.Conditions) // which hold no pointers
	return &out
}

func (in *KeyPairList) DeepCopyObject() runtime.Object {
	out := &KeyPairList{TypeMeta: in.TypeMeta, ListMeta: *in.ListMeta.DeepCopy()}
	for i := range in.Items {
		out.Items = append(out.Items, *in.Items[i].DeepCopyObject().(*KeyPair))
	}
	return out
}

func newScheme() *runtime.Scheme {
	scheme, version := runtime.NewScheme(), schema.GroupVersion{Group: "qubesec.io", Version: "v1"}
	utilruntime.Must(corev1.AddToScheme(scheme))
	scheme.AddKnownTypeWithName(version.WithKind("QuantumKEMKeyPair"), &KeyPair{})
	scheme.AddKnownTypeWithName(version.WithKind("QuantumKEMKeyPairList"), &KeyPairList{})
	metav1.AddToGroupVersion(scheme, version)
	return scheme
}

type reconciler struct {
	client.Client               // reads from the caches
	reader        client.Reader // from the API server
	metadataOnly  bool
}

// cachedSecret is what the cache has of a Secret.
func cachedSecret(metadataOnly bool) client.Object {
	if !metadataOnly {
		return &corev1.Secret{}
	}
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return secret
}

// find fills secret with what the cache has; its data is left out where only metadata is kept.
func (r *reconciler) find(ctx context.Context, name types.NamespacedName, secret *corev1.Secret) error {
	if !r.metadataOnly {
		return r.Get(ctx, name, secret)
	}
	found := cachedSecret(true).(*metav1.PartialObjectMetadata)
	err := r.Get(ctx, name, found)
	secret.ObjectMeta = found.ObjectMeta
	return err
}

// setUp leaves out the events that the operator's own writes cause, so that nothing is reconciled twice.
func (r *reconciler) setUp(mgr ctrl.Manager, workers int) error {
	foreign := predicate.Funcs{CreateFunc: func(event.CreateEvent) bool { return false }}
	owned := []builder.OwnsOption{builder.WithPredicates(foreign)}
	if r.metadataOnly {
		owned = append(owned, builder.OnlyMetadata)
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&KeyPair{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&corev1.Secret{}, owned...).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// Reconcile reads from the caches only, but for the content of a Secret that is there and not in its pair's status where
// only metadata is kept. A pair without Secret costs two writes.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	pair, secret := &KeyPair{}, &corev1.Secret{}
	if err := r.Get(ctx, request.NamespacedName, pair); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	err := r.find(ctx, request.NamespacedName, secret)
	switch {
	case apierrors.IsNotFound(err):
		var data map[string][]byte
		if data, err = secretData(pair.Spec.Algorithm); err == nil {
			secret = makeSecret(pair, data, r.Scheme())
			err = r.Create(ctx, secret)
		}
	case err == nil && !metav1.IsControlledBy(secret, pair):
		err = fmt.Errorf("the Secret %s is another object's", secret.Name)
	case err == nil && pair.Status.ObservedGeneration == pair.Generation:
		return ctrl.Result{}, nil
	case err == nil && r.metadataOnly:
		err = r.reader.Get(ctx, request.NamespacedName, secret)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	before := pair.DeepCopyObject().(*KeyPair)
	setStatus(pair, secret, string(controller.ReconcileIDFromContext(ctx)))
	return ctrl.Result{}, r.Status().Patch(ctx, pair, client.MergeFrom(before))
}

func makeSecret(pair *KeyPair, data map[string][]byte, scheme *runtime.Scheme) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      pair.Name,
			Namespace: pair.Namespace,
			Labels:    map[string]string{"app.kubernetes.io/managed-by": "qubesec"},
			Annotations: map[string]string{
				"qubesec.io/owner":     "QuantumKEMKeyPair/" + pair.Name,
				"qubesec.io/owner-uid": string(pair.UID),
			},
		},
		Type: corev1.SecretTypeOpaque,
		Data: data,
	}
	// Without the block, which needs a right on the pairs' finalizers.
	unblocked := controllerutil.WithBlockOwnerDeletion(false)
	utilruntime.Must(controllerutil.SetControllerReference(pair, secret, scheme, unblocked))
	return secret
}

func setStatus(pair *KeyPair, secret *corev1.Secret, id string) {
	status := &pair.Status
	status.Status = "Success"
	status.ObservedGeneration = pair.Generation
	status.Algorithm = pair.Spec.Algorithm
	status.Fingerprint = fingerprint(secret.Data["public_key"])
	status.PublicKeyPEM = string(secret.Data["public_key.pem"])
	status.SecretRef = SecretRef{secret.Name, secret.UID, secret.ResourceVersion}
	status.LastUpdateTime = metav1.Now()
	status.ReconcileID = id
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type:               "Ready",
		Status:             metav1.ConditionTrue,
		ObservedGeneration: pair.Generation,
		Reason:             "Succeeded",
		Message:            "the output Secret is as specified",
	})
}
