package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Lifecycle says what became of a version.
//
// +kubebuilder:validation:Enum=registered;live;rejected;retired
type Lifecycle string

// A version is registered once, may be live any number of times, and ends
// rejected (with a reason) or retired.
const (
	Registered Lifecycle = "registered"
	Live       Lifecycle = "live"
	Rejected   Lifecycle = "rejected"
	Retired    Lifecycle = "retired"
)

// ModelVersion is one version of a model. Its name is "<model>-<version>".
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:selectablefield:JSONPath=`.spec.model`
// +kubebuilder:resource:shortName=mv
// +kubebuilder:printcolumn:name="Model",type=string,JSONPath=`.spec.model`
// +kubebuilder:printcolumn:name="Version",type=integer,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Lifecycle",type=string,JSONPath=`.status.lifecycle`
// +kubebuilder:printcolumn:name="Rows",type=integer,JSONPath=`.spec.dataset.rows`
// +kubebuilder:printcolumn:name="Data to",type=string,JSONPath=`.spec.dataset.to`
// +kubebuilder:printcolumn:name="Artifact",type=string,JSONPath=`.spec.artifact.uri`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ModelVersion struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ModelVersionSpec `json:"spec"`
	// +kubebuilder:default={}
	Status ModelVersionStatus `json:"status,omitempty"`
}

// ModelVersionSpec is what is known of a version when it is registered.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a version is immutable: register a new one"
type ModelVersionSpec struct {
	// Model is the name of the model in this namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Model string `json:"model"`
	// Version is the number of this version, from 1, given once.
	// +kubebuilder:validation:Minimum=1
	Version int64 `json:"version"`

	// Artifact is what a model server loads.
	Artifact Artifact `json:"artifact"`
	// Dataset is what the version was trained on.
	Dataset Dataset `json:"dataset,omitempty"`
	// Profile describes the training data.
	Profile *Profile `json:"profile,omitempty"`
	// Metrics of the version on its own hold-out rows, as decimal numbers.
	Metrics map[string]string `json:"metrics,omitempty"`
	// Reported are the metrics as the files of the training run have them, words
	// and booleans too, by "FILE:KEY" with the keys of nested maps joined by
	// dots: what "leeway diff --md" prints. A value is written as a Value is.
	// +kubebuilder:validation:MaxProperties=1024
	Reported map[string]Value `json:"reported,omitempty"`
	// Params that the version was trained with, by "FILE:KEY", or by a name
	// alone.
	// +kubebuilder:validation:MaxProperties=1024
	Params map[string]Value `json:"params,omitempty"`
	// Evaluations of this and of other versions on named data sets.
	// +kubebuilder:validation:MaxItems=256
	Evaluations []Evaluation `json:"evaluations,omitempty"`
	// Lineage says where the version comes from.
	Lineage Lineage `json:"lineage,omitempty"`
	// Compat is free text: versions with another value are not exchangeable.
	Compat string `json:"compat,omitempty"`
}

// Value is a parameter or a metric: JSON, as 0.1, 50, true or ["a","b"], or a
// string as it is. A string that would read as JSON is written as a JSON string.
//
// +kubebuilder:validation:MaxLength=4096
type Value string

// Artifact names the files or the image of a version.
type Artifact struct {
	// URI such as s3://bucket/key, file:///path or an image reference.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	URI string `json:"uri"`
	// SHA256 of the artifact, 64 hexadecimal digits.
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{64})?$`
	SHA256 string `json:"sha256,omitempty"`
}

// Dataset names the rows that a version was trained on.
type Dataset struct {
	Name   string       `json:"name,omitempty"`
	URI    string       `json:"uri,omitempty"`
	Rows   int64        `json:"rows,omitempty"`
	From   *metav1.Time `json:"from,omitempty"`
	To     *metav1.Time `json:"to,omitempty"`
	MD5    string       `json:"md5,omitempty"`
	Commit string       `json:"commit,omitempty"`
}

// Profile is a training profile as registered: its exact bytes, compressed.
type Profile struct {
	// Digest is "sha256:" and 64 hexadecimal digits, of the bytes before
	// compression.
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	Digest string `json:"digest"`
	// Gzip holds the profile's bytes, compressed with gzip, in base64. It is a
	// string to the API server, which cannot compare fields of the format byte
	// in the rule that keeps a version's spec as it is.
	Gzip string `json:"gzip"`
}

// Evaluation is one metric of a version on a named data set.
type Evaluation struct {
	// Version evaluated.
	Version int64 `json:"version"`
	// Dataset it was evaluated on, such as "holdout-4".
	Dataset string `json:"dataset"`
	Metric  string `json:"metric"`
	// Value is a decimal number.
	Value string `json:"value"`
}

// Lineage says where a version comes from.
type Lineage struct {
	// Parent is the version that was live when this one was trained.
	Parent int64 `json:"parent,omitempty"`
	// Run names the training run.
	Run string `json:"run,omitempty"`
	// Decision names the ModelDecision that asked for the training.
	Decision string `json:"decision,omitempty"`
}

// ModelVersionStatus is what changes after registration.
type ModelVersionStatus struct {
	// +kubebuilder:default=registered
	Lifecycle Lifecycle `json:"lifecycle,omitempty"`
	// Reason of the last change, one word or sentence.
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// Audit holds the latest changes of the lifecycle, oldest first.
	// +kubebuilder:validation:MaxItems=50
	Audit []AuditLine `json:"audit,omitempty"`
}

// AuditLine records one change of a lifecycle.
type AuditLine struct {
	Time   metav1.MicroTime `json:"time"`
	From   Lifecycle        `json:"from,omitempty"`
	To     Lifecycle        `json:"to"`
	By     string           `json:"by,omitempty"`
	Reason string           `json:"reason,omitempty"`
}

// ModelVersionList is a list of versions.
//
// +kubebuilder:object:root=true
type ModelVersionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ModelVersion `json:"items"`
}
