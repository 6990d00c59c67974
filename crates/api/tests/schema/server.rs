//! A real API server takes the definitions and enforces every rule.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions, wait::await_condition},
};
use serde_json::{Value, json};

use crate::{
    cases::{self, Case, Expected, Part, contains},
    definitions,
};

const NAMESPACE: &str = "default";

#[test]
fn the_api_server_enforces_every_rule() {
    let plane = plane::Plane::start(&plane::Options { nodes: 0, ..Default::default() }).unwrap();
    let kubeconfig = Kubeconfig::read_from(&plane.record().kubeconfig).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failures = runtime.block_on(async {
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let kinds = install(&client).await;
        let mut failures = check_envelopes(&client, &kinds).await;
        failures.extend(check_cases(&client, &kinds).await);
        failures
    });
    plane.stop();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Installs the files of `crds/` and waits until they are served.
async fn install(client: &Client) -> BTreeMap<String, ApiResource> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut kinds = BTreeMap::new();
    for (file, definition) in definitions::files() {
        let crd: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
        let name = crd.name_any();
        api.create(&PostParams::default(), &crd).await.unwrap_or_else(|error| panic!("{file}: {error}"));
        let served = await_condition(api.clone(), &name, conditions::is_crd_established());
        let crd = served.await.unwrap().unwrap();
        let problems: Vec<_> = crd
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten())
            .filter(|condition| condition.type_ == "NonStructuralSchema" && condition.status == "True")
            .collect();
        assert!(problems.is_empty(), "{file}: {problems:?}");
        let names = &crd.spec.names;
        let version = &crd.spec.versions[0].name;
        kinds.insert(
            names.kind.clone(),
            ApiResource {
                group: crd.spec.group.clone(),
                version: version.clone(),
                api_version: format!("{}/{version}", crd.spec.group),
                kind: names.kind.clone(),
                plural: names.plural.clone(),
            },
        );
    }
    kinds
}

/// What `kubectl get` and `kubectl api-resources` show of each kind: short name, categories besides `all` and `fluxcd`,
/// columns in order, and whether there is a status of its own.
const ENVELOPES: &[(&str, &str, &str, &str, bool)] = &[
    ("GitRepository", "gitrepo", "fluxcd-sources", "Name URL Age Ready Status", true),
    ("OCIRepository", "ocirepo", "fluxcd-sources", "Name URL Ready Status Age", true),
    ("Bucket", "", "fluxcd-sources", "Name Endpoint Age Ready Status", true),
    ("HelmRepository", "helmrepo", "fluxcd-sources", "Name URL Age Ready Status", true),
    (
        "HelmChart",
        "hc",
        "fluxcd-sources",
        "Name Chart Version Source_Kind Source_Name Age Ready Status",
        true,
    ),
    ("ExternalArtifact", "ea", "fluxcd-sources", "Name Age Ready Status Source", true),
    ("Kustomization", "ks", "fluxcd-appliers", "Name Age Ready Status", true),
    ("HelmRelease", "hr", "fluxcd-appliers", "Name Age Ready Status", true),
    ("Receiver", "", "fluxcd-notifications", "Name Age Ready Status", true),
    ("Provider", "", "fluxcd-notifications", "Name Age", false),
    ("Alert", "", "fluxcd-notifications", "Name Age", false),
];

async fn check_envelopes(client: &Client, kinds: &BTreeMap<String, ApiResource>) -> Vec<String> {
    let mut failures = Vec::new();
    assert_eq!(kinds.len(), ENVELOPES.len());
    for (kind, short_name, category, columns, has_status) in ENVELOPES {
        let resource = &kinds[*kind];
        let listed = client.list_api_group_resources(&resource.api_version).await.unwrap();
        let found = listed.resources.iter().find(|found| found.name == resource.plural).unwrap();
        let short_names = found.short_names.clone().unwrap_or_default();
        let categories = found.categories.clone().unwrap_or_default();
        let status = format!("{}/status", resource.plural);
        let seen = (
            short_names.join(" "),
            categories.join(" "),
            columns_of(client, resource).await,
            listed.resources.iter().any(|found| found.name == status),
            found.namespaced,
        );
        let expected = (
            (*short_name).to_owned(),
            format!("all fluxcd {category}"),
            (*columns).to_owned(),
            *has_status,
            true,
        );
        if seen != expected {
            failures.push(format!("{kind}: expected {expected:?}, got {seen:?}"));
        }
    }
    failures
}

async fn columns_of(client: &Client, resource: &ApiResource) -> String {
    let request = http::Request::get(DynamicObject::url_path(resource, Some(NAMESPACE)))
        .header("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
        .body(Vec::new())
        .unwrap();
    let table: Value = client.request(request).await.unwrap();
    let columns = table["columnDefinitions"].as_array().unwrap();
    let names: Vec<_> =
        columns.iter().map(|column| column["name"].as_str().unwrap().replace(' ', "_")).collect();
    names.join(" ")
}

async fn check_cases(client: &Client, kinds: &BTreeMap<String, ApiResource>) -> Vec<String> {
    let all = cases::all();
    let (objects, statuses): (Vec<_>, Vec<_>) = all.into_iter().partition(|case| case.part == Part::Object);
    assert!(objects.len() > 900 && statuses.len() > 90, "{} and {}", objects.len(), statuses.len());

    // A status is sent to an object that exists: the base of its kind, with nothing observed.
    for (kind, resource) in kinds {
        let first = objects.iter().find(|case| case.kind == *kind).unwrap();
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, resource);
        let stored =
            api.create(&PostParams::default(), &named(&first.object, resource, "stored")).await.unwrap();
        let observed = stored.data["status"]["observedGeneration"].as_i64();
        let expected = (!["ExternalArtifact", "Alert", "Provider"].contains(&kind.as_str())).then_some(-1);
        assert_eq!(observed, expected, "{kind}: status of a new object");
    }
    stream::iter(objects.into_iter().chain(statuses))
        .map(|case| {
            let api = Api::namespaced_with(client.clone(), NAMESPACE, &kinds[&case.kind]);
            let resource = kinds[&case.kind].clone();
            async move { check_case(&api, &resource, &case).await }
        })
        .buffer_unordered(16)
        .filter_map(async |failure| failure)
        .map(Ok::<_, std::convert::Infallible>)
        .try_collect()
        .await
        .unwrap()
}

async fn check_case(api: &Api<DynamicObject>, resource: &ApiResource, case: &Case) -> Option<String> {
    let answer = match case.part {
        Part::Object => {
            let dry_run = PostParams { dry_run: true, ..Default::default() };
            api.create(&dry_run, &named(&case.object, resource, "tried")).await
        }
        Part::Status => {
            let dry_run = PatchParams { dry_run: true, ..Default::default() };
            let status = Patch::Merge(json!({"status": case.object["status"]}));
            api.patch_status("stored", &dry_run, &status).await
        }
    };
    let problem = match (&case.expected, answer) {
        (Expected::Accepted(None), Ok(_)) => return None,
        (Expected::Accepted(Some(read)), Ok(answer)) if contains(&answer.data, read) => return None,
        (Expected::Accepted(Some(read)), Ok(answer)) => format!("expected {read}, read {}", answer.data),
        (Expected::Accepted(_), Err(error)) => format!("was refused: {error}"),
        (Expected::Refused(expected), Ok(_)) => format!("was accepted, expected {expected:?}"),
        (Expected::Refused(expected), Err(kube::Error::Api(status))) => {
            if status.code == 422 && expected.iter().all(|text| status.message.contains(text)) {
                return None;
            }
            format!("expected {expected:?}, got {} {:?}", status.code, status.message)
        }
        (Expected::Refused(_), Err(error)) => format!("could not be tried: {error}"),
    };
    Some(format!("{} {}: {problem:.600}", case.kind, case.title))
}

fn named(object: &Value, resource: &ApiResource, name: &str) -> DynamicObject {
    DynamicObject::new(name, resource).data(object.clone())
}
