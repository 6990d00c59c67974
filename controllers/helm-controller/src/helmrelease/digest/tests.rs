use super::*;
use serde_json::json;

const SHA256: Algorithm = Algorithm::Sha256;

fn values(json: Json) -> Table {
    json.as_object().unwrap().clone()
}

#[test]
fn values_have_the_digests_of_flux() {
    for (given, digest) in [
        (json!({}), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (
            json!({"replicaCount": 2}),
            "sha256:e15c415d62760896bd8bec192a44c5716dc224db9e0fc609b9ac14718f8f9e56",
        ),
        (
            json!({"replicaCount": 2.0}),
            "sha256:e15c415d62760896bd8bec192a44c5716dc224db9e0fc609b9ac14718f8f9e56",
        ),
        (
            json!({"a": "multi\nline\n", "b": {"a": ["x", 1.5, true, {"k": "v", "a10": "1", "a2": 3}], "z": null},
                "big": 1e21, "e": {}, "f": 123456789.5, "l": [], "s": "yes"}),
            "sha256:73f0738c89b5db76722960842583dd4679362850a959af5408b4a5f2e4227cfe",
        ),
    ] {
        assert_eq!(config(SHA256, &values(given.clone())).to_string(), digest, "{given}");
        assert!(is_of_config(digest, &values(given)));
    }
}

#[test]
fn values_are_written_as_go_yaml_does() {
    let text = |json: Json| yaml::to_yaml_in_order(&table(&values(json))).unwrap();
    assert_eq!(
        text(
            json!({"b": {"a10": "1", "a2": 3}, "a": "multi\nline\n", "l": [], "n": null, "t": "\tx", "u": "on"})
        ),
        "a: |\n  multi\n  line\nb:\n  a10: \"1\"\n  a2: 3\nl: []\n\"n\": null\nt: \"\\tx\"\nu: \"on\"\n"
    );
    assert_eq!(
        text(
            json!({"a": 1000000.0, "b": 1e17, "c": 1.234567895e8, "d": 0.00001, "e": -3.0, "f": 1e19, "g": 1e20})
        ),
        "a: 1000000\nb: 100000000000000000\nc: 1.234567895e+08\nd: 1e-05\ne: -3\nf: 10000000000000000000\ng: 1e+20\n"
    );
    // What set through targetPath made an integer comes back from the record as a float.
    assert_eq!(text(json!({"a": 9007199254740993_i64})), text(json!({"a": 9007199254740993.0_f64})));
}

#[test]
fn other_algorithms_and_unknown_digests() {
    let one = values(json!({"a": 1}));
    for algorithm in [Algorithm::Sha384, Algorithm::Sha512, Algorithm::Blake3] {
        assert!(is_of_config(&config(algorithm, &one).to_string(), &one));
    }
    assert!(!is_of_config("", &one) && !is_of_config("md5:00", &one) && !is_of_config("sha256:00", &one));
}

fn podinfo() -> Release {
    let text = json!({
        "name": "podinfo", "version": 1, "namespace": "default",
        "info": {"first_deployed": "2024-05-07T04:54:21.123456Z", "last_deployed": "2024-05-07T04:54:21.123456Z",
            "description": "Install complete", "status": "deployed", "notes": "a <b> & c\n"},
        "chart": {"metadata": {"name": "podinfo", "version": "6.5.3", "apiVersion": "v2", "appVersion": "6.5.3"}},
        "config": {"replicaCount": 2},
        "manifest": "---\n# Source: x\napiVersion: v1\nkind: ConfigMap\n",
        "hooks": [
            {"name": "h", "kind": "Job", "path": "podinfo/templates/h.yaml", "manifest": "m", "events": ["pre-install"],
                "last_run": {"phase": ""}, "delete_policies": ["before-hook-creation"]},
            {"name": "t", "kind": "Pod", "path": "podinfo/templates/t.yaml", "manifest": "m", "events": ["test"],
                "last_run": {"phase": "Succeeded"}},
        ],
    });
    serde_json::from_value(text).unwrap()
}

#[test]
fn records_have_the_digests_of_flux() {
    let mut release = podinfo();
    assert_eq!(
        record(SHA256, &release, "").unwrap().to_string(),
        "sha256:6984484d7cbb350186571a06b3a35fc6c8546c4247e953af03491f3ec79dbe3b"
    );
    release.config = values(json!({"replicaCount": 2}));
    assert_eq!(
        record(SHA256, &release, "").unwrap().to_string(),
        "sha256:6984484d7cbb350186571a06b3a35fc6c8546c4247e953af03491f3ec79dbe3b",
        "integers that have not been through the record"
    );
    release.config.clear();
    release.hooks.retain(|hook| hook.name == "t");
    assert_eq!(
        record(SHA256, &release, "sha256:abc").unwrap().to_string(),
        "sha256:3cc5217ab0b61fdfa88908ef6584e798f21bb65f49893eb0af9ca5f3277612af"
    );
}

#[test]
fn post_renderers_and_metadata_have_the_digests_of_flux() {
    let release = |spec: Json| -> HelmRelease {
        let mut value = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"interval": "1m"}});
        value["spec"].as_object_mut().unwrap().extend(values(spec));
        serde_json::from_value(value).unwrap()
    };
    let rendered = release(json!({"postRenderers": [{"kustomize": {
        "patches": [{"patch": "- op: add\n  path: /x\n  value: <y>\n", "target": {"kind": "Deployment"}}],
        "images": [{"name": "a", "newTag": "1"}]}}]}));
    assert_eq!(
        post_renderers(SHA256, &rendered).unwrap(),
        "sha256:b37447924816eddf65ae74e7e5bdd2c846595677d6fb2ed4a24f2b1f71f64ea8"
    );
    let labelled = release(json!({"commonMetadata": {"labels": {"a": "b"}}}));
    assert_eq!(
        common_metadata(SHA256, &labelled).unwrap(),
        "sha256:c7743adac9e28d2fb8f3013c0daf58ec5b66d7fd9015933d55334ba4f5e4dce5"
    );
    let plain = release(json!({}));
    assert_eq!((post_renderers(SHA256, &plain), common_metadata(SHA256, &plain)), (None, None));
}
