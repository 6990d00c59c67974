//! `openapi` and `crds`.

use oracle::Random;

/// An OpenAPI document with merge keys for `Thing`.
pub fn openapi(random: &mut Random) -> String {
    let strategy = random.pick(&["merge", "replace", "merge,retainKeys"]);
    let key = random.pick(&["name", "v", "nope"]);
    let template = random.pick(&[
        "{\"$ref\": \"#/definitions/io.k8s.api.core.v1.PodTemplateSpec\"}",
        "{\"$ref\": \"#/definitions/nowhere\"}",
        "{\"type\": \"object\"}",
    ]);
    format!(
        "{{\"definitions\": {{\"v1.Thing\": {{\"type\": \"object\", \"properties\": {{\"spec\": {{\"type\": \"object\", \
         \"properties\": {{\"list\": {{\"type\": \"array\", \"items\": {{\"type\": \"object\"}}, \
         \"x-kubernetes-patch-merge-key\": \"{key}\", \"x-kubernetes-patch-strategy\": \"{strategy}\"}}, \"template\": \
         {template}}}}}}}, \"x-kubernetes-group-version-kind\": [{{\"group\": \"example.com\", \"kind\": \"Thing\", \
         \"version\": \"v1\"}}]}}}}}}\n"
    )
}

/// A file for `crds`: name references of `Thing`.
pub fn crds(random: &mut Random) -> String {
    let kind = random.pick(&["ConfigMap", "Secret", "Thing"]);
    format!(
        "{{\"example.com/v1.Thing\": {{\"Schema\": {{\"properties\": {{\"apiVersion\": {{\"type\": \"string\"}}, \"kind\": \
         {{\"type\": \"string\"}}, \"metadata\": {{\"type\": \"object\"}}, \"spec\": {{\"type\": \"object\", \"properties\": \
         {{\"ref\": {{\"type\": \"object\", \"x-kubernetes-object-ref-api-version\": \"v1\", \
         \"x-kubernetes-object-ref-kind\": \"{kind}\", \"x-kubernetes-object-ref-name-key\": \"name\"}}, \"value\": \
         {{\"type\": \"string\", \"x-kubernetes-annotation\": \"\"}}}}}}}}}}}}}}\n"
    )
}
