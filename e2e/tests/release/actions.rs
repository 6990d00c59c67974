//! Install, upgrade, rollback, uninstall: the same objects and records as Helm's.

use anyhow::Result;
use chart::Status;
use release::{Method, MethodChoice, Ownership, Rollback, Written};
use serde_json::{Value, json};

use crate::stage::{Files, Stage};

pub const SHOP: Files<'static> = &[
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: \"7\"\ndescription: a shop\n"),
    ("values.yaml", "replicas: 2\nimage: shop:1\nextra: false\nservice:\n  port: 80\n"),
    ("templates/NOTES.txt", "Shop {{ .Release.Name }} is at revision {{ .Release.Revision }}\n"),
    (
        "templates/account.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ .Release.Name }}\n",
    ),
    (
        "templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-config\ndata:\n  replicas: {{ .Values.replicas | quote }}\n  {{- if not .Values.extra }}\n  plain: \"yes\"\n  {{- end }}\n",
    ),
    (
        "templates/extra.yaml",
        "{{- if .Values.extra }}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}-extra\nstringData:\n  key: value\n{{- else }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-plain\n{{- end }}\n",
    ),
    (
        "templates/kept.yaml",
        "{{- if not .Values.extra }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-kept\n  annotations:\n    helm.sh/resource-policy: keep\n{{- end }}\n",
    ),
    (
        "templates/service.yaml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  selector:\n    app: {{ .Release.Name }}\n  ports:\n  - name: http\n    port: {{ .Values.service.port }}\n    targetPort: 8080\n",
    ),
    (
        "templates/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector:\n    matchLabels:\n      app: {{ .Release.Name }}\n  template:\n    metadata:\n      labels:\n        app: {{ .Release.Name }}\n    spec:\n      serviceAccountName: {{ .Release.Name }}\n      containers:\n      - name: shop\n        image: {{ .Values.image }}\n        ports:\n        - name: http\n          containerPort: 8080\n        {{- if .Values.extra }}\n        env:\n        - name: EXTRA\n          value: \"1\"\n        {{- else }}\n        env:\n        - name: PLAIN\n          value: \"1\"\n        - name: MODE\n          value: plain\n        {{- end }}\n",
    ),
];

async fn a_life(prefix: &str, method: Method) -> Result<()> {
    let stage = Stage::new(prefix).await?;
    let folder = stage.folder("shop", SHOP);
    let side = match method {
        Method::ServerSide => "--server-side=true",
        Method::ClientSide => "--server-side=false",
    };
    let wait = ["--wait", "--wait-for-jobs", "--timeout", "60s"];

    stage.helm(&[&["install", "web", &folder, side, "--set", "replicas=1"], &wait[..]].concat());
    let mut install = stage.install("web", SHOP, json!({"replicas": 1}));
    install.method = method;
    let installed = stage.do_install(install).await.unwrap();
    assert_eq!(installed.release.info.status, Status::Deployed);
    assert!(matches!(&installed.writes[..], [Written::Created(a), Written::Updated(b)]
        if a.info.status == Status::PendingInstall && b.info.status == Status::Deployed));
    stage.compare("web");

    // Somebody scales the Deployment and adds a label: what of it survives is Helm's to decide.
    for namespace in [&stage.ours, &stage.theirs] {
        let kubectl = stage.plane.kubectl();
        kubectl.run(&["label", "deployment", "web", "-n", namespace, "team=blue"])?;
        kubectl.run(&["set", "env", "deployment", "web", "-n", namespace, "OTHER=1"])?;
    }
    let values = "extra=true,image=shop:2,service.port=81";
    let force: &[&str] = if method == Method::ServerSide { &["--force-conflicts"] } else { &[] };
    stage.helm(&[&["upgrade", "web", &folder, "--set", values], force, &wait[..]].concat());
    let values = json!({"extra": true, "image": "shop:2", "service": {"port": 81}});
    let upgraded = stage.do_upgrade(stage.upgrade("web", SHOP, values)).await.unwrap();
    assert_eq!(upgraded.release.version, 2);
    stage.compare("web");
    let names = stage.names(&stage.ours);
    assert!(names.contains(&"ConfigMap/web-kept".to_owned()), "{names:?}");
    assert!(!names.contains(&"ConfigMap/web-plain".to_owned()), "{names:?}");

    stage.helm(&[&["rollback", "web", "1"], &wait[..]].concat());
    let rollback = Rollback::new("web", 1).run(&stage.cluster, &stage.storage()).await.unwrap();
    assert_eq!(rollback.release.info.description, "Rollback to 1");
    stage.compare("web");

    stage.helm(&["uninstall", "web", "--wait"]);
    let uninstalled = stage.do_uninstall("web").await.unwrap();
    assert_eq!(
        uninstalled.warnings,
        ["These resources were kept due to the resource policy:\n[ConfigMap] web-kept\n"]
    );
    stage.compare("web");
    assert_eq!(stage.names(&stage.ours), ["ConfigMap/web-kept"]);
    assert_eq!(stage.records(&stage.ours, "web"), Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_by_server_side_apply_is_as_helms() -> Result<()> {
    a_life("ssa", Method::ServerSide).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_by_client_side_patches_is_as_helms() -> Result<()> {
    a_life("csa", Method::ClientSide).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_moves_to_server_side_apply_as_helms() -> Result<()> {
    let stage = Stage::new("migrate").await?;
    let folder = stage.folder("shop", SHOP);
    stage.helm(&["install", "web", &folder, "--server-side=false"]);
    let mut install = stage.install("web", SHOP, json!({}));
    install.method = Method::ClientSide;
    stage.do_install(install).await.unwrap();
    stage.helm(&[
        "upgrade",
        "web",
        &folder,
        "--server-side=true",
        "--force-conflicts",
        "--set",
        "extra=true",
    ]);
    let mut upgrade = stage.upgrade("web", SHOP, json!({"extra": true}));
    upgrade.method = MethodChoice::Is(Method::ServerSide);
    stage.do_upgrade(upgrade).await.unwrap();
    stage.compare("web");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_and_we_take_turns() -> Result<()> {
    let stage = Stage::new("turns").await?;
    let folder = stage.folder("shop", SHOP);
    stage.do_install(stage.install("web", SHOP, json!({}))).await.unwrap();
    let listed = stage.helm_here(&["list"]);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["revision"], &listed[0]["status"], &listed[0]["chart"]),
        (&json!("web"), &json!("1"), &json!("deployed"), &json!("shop-1.2.3"))
    );
    assert_eq!(stage.helm_here(&["status", "web"])["info"]["description"], "Install complete");
    let here = |arguments: &[&str]| stage.helm_in(&stage.ours, arguments).unwrap();
    assert_eq!(here(&["get", "notes", "web"]).trim(), "NOTES:\nShop web is at revision 1");
    here(&["upgrade", "web", &folder, "--set", "replicas=1", "--wait"]);
    let upgraded = stage.do_upgrade(stage.upgrade("web", SHOP, json!({"extra": true}))).await.unwrap();
    assert_eq!(upgraded.release.version, 3);
    here(&["rollback", "web", "2", "--wait"]);
    let mut rollback = Rollback::new("web", 3);
    rollback.max_history = 4;
    rollback.run(&stage.cluster, &stage.storage()).await.unwrap();
    let history = stage.helm_here(&["history", "web"]);
    let steps: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{} {} {}", step["revision"], step["status"], step["description"]))
        .collect();
    assert_eq!(
        steps,
        [
            r#"2 "superseded" "Upgrade complete""#,
            r#"3 "superseded" "Upgrade complete""#,
            r#"4 "superseded" "Rollback to 2""#,
            r#"5 "deployed" "Rollback to 3""#
        ]
    );
    here(&["uninstall", "web", "--keep-history", "--wait"]);
    let mut install = stage.install("web", SHOP, json!({}));
    let refused = stage.do_install(install.clone()).await.unwrap_err();
    assert_eq!(refused.to_string(), "release name check failed: cannot reuse a name that is still in use");
    assert!(refused.writes.is_empty());
    install.reuse = release::Reuse::AfterEnd;
    assert_eq!(stage.do_install(install).await.unwrap().release.version, 6);
    let gone = stage.do_uninstall("web").await.unwrap();
    assert_eq!(gone.release.info.status, Status::Uninstalled);
    let gone = stage.do_uninstall("web").await.unwrap_err();
    assert_eq!(gone.to_string(), "uninstall: Release not loaded: web: release: not found");
    assert_eq!(gone.error.root(), &release::Error::NotFound);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_others_are_refused_or_taken() -> Result<()> {
    let stage = Stage::new("owners").await?;
    let folder = stage.folder("shop", SHOP);
    for namespace in [&stage.ours, &stage.theirs] {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"foreign": "1"},
            "metadata": {"name": "web-config", "namespace": namespace, "annotations": {"meta.helm.sh/release-name": "other"}}});
        stage.plane.apply(&map.to_string()).await?;
    }
    let theirs = stage.helm_in(&stage.theirs, &["install", "web", &folder]).unwrap_err();
    let mut install = stage.install("web", SHOP, json!({}));
    install.ownership = Ownership::Check;
    let ours = stage.do_install(install.clone()).await.unwrap_err();
    assert!(ours.writes.is_empty());
    let theirs =
        theirs.trim().rsplit("INSTALLATION FAILED: ").next().unwrap().replace(&stage.theirs, "NAMESPACE");
    assert_eq!(ours.to_string().replace(&stage.ours, "NAMESPACE"), theirs);
    assert_eq!(stage.names(&stage.ours), ["ConfigMap/web-config"]);

    stage.helm(&["install", "web", &folder, "--take-ownership", "--force-conflicts"]);
    install.ownership = Ownership::Take;
    stage.do_install(install).await.unwrap();
    stage.compare("web");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_as_helm_says_it() -> Result<()> {
    let stage = Stage::new("refused").await?;
    let ours = |text: &str| text.replace(&stage.ours, "NAMESPACE");
    let theirs = |text: String| {
        text.trim()
            .rsplit_once(" FAILED: ")
            .map_or(text.clone(), |(_, text)| text.to_owned())
            .replace(&stage.theirs, "NAMESPACE")
    };
    let bad: &[(&str, &str, &str)] = &[
        ("kind", "apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: a}\n", ""),
        ("field", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nnothing: 1\n", ""),
        (
            "value",
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 100000}]}\n",
            "",
        ),
        ("template", "{{ fail \"no\" }}", ""),
        ("yaml", "a: b: c", ""),
    ];
    for (name, template, _) in bad {
        let files =
            [("Chart.yaml", "apiVersion: v2\nname: bad\nversion: 1.0.0\n"), ("templates/a.yaml", *template)];
        let folder = stage.folder(name, &files);
        let said = theirs(stage.helm_in(&stage.theirs, &["install", name, &folder]).unwrap_err());
        let failed = stage.do_install(stage.install(name, &files, json!({}))).await.unwrap_err();
        assert_eq!(ours(&failed.to_string()), said.trim(), "{name}");
        assert_eq!(
            stage.records(&stage.ours, name).len(),
            stage.records(&stage.theirs, name).len(),
            "{name}"
        );
    }
    let upgrade = stage.do_upgrade(stage.upgrade("nobody", SHOP, json!({}))).await.unwrap_err();
    assert_eq!(upgrade.to_string(), "\"nobody\" has no deployed releases");
    Ok(())
}

const CURIOUS: Files<'static> = &[
    ("Chart.yaml", "apiVersion: v2\nname: curious\nversion: 1.0.0\nkubeVersion: '>=1.30-0'\n"),
    (
        "templates/config.yaml",
        r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: curious
data:
  versions: {{ .Capabilities.APIVersions | sortAlpha | join " " | quote }}
  kube: {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion.Major }} {{ .Capabilities.KubeVersion.Minor }}
  has: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  one: {{ (lookup "v1" "Namespace" "" .Release.Namespace).metadata.name | quote }}
  none: {{ lookup "v1" "Secret" .Release.Namespace "nobody" | toJson | quote }}
  many: {{ range (lookup "v1" "ConfigMap" .Release.Namespace "").items }}{{ .kind }}/{{ .metadata.name }} {{ end }}
"#,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn templates_see_the_cluster_as_with_helm() -> Result<()> {
    let stage = Stage::new("curious").await?;
    let folder = stage.folder("curious", CURIOUS);
    stage.helm(&["install", "web", &folder]);
    stage.do_install(stage.install("web", CURIOUS, json!({}))).await.unwrap();
    stage.compare("web");
    let bad = [
        ("Chart.yaml", "apiVersion: v2\nname: bad\nversion: 1.0.0\n"),
        ("templates/a.yaml", "{{ lookup \"example.com/v1\" \"Nothing\" \"\" \"\" }}"),
    ];
    let folder = stage.folder("bad", &bad);
    let theirs = stage.helm_in(&stage.theirs, &["install", "bad", &folder]).unwrap_err();
    let failed = stage.do_install(stage.install("bad", &bad, json!({}))).await.unwrap_err();
    println!("{theirs}\n{failed}");
    assert!(failed.writes.is_empty());
    Ok(())
}
