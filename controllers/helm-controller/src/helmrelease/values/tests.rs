use super::*;
use serde_json::json;

/// References in order: `(targetPath or "", content)`, each from a ConfigMap of its own.
fn composed(spec: Json, references: &[(&str, &str)]) -> Result<Json, Error> {
    let mut contents = Contents::new();
    let mut list = Vec::new();
    for (index, (path, content)) in references.iter().enumerate() {
        let name = format!("c{index}");
        let data = BTreeMap::from([("values.yaml".to_owned(), content.as_bytes().to_vec())]);
        contents.insert((ValuesReferenceKind::ConfigMap, name.clone()), Some(data));
        let target_path = (!path.is_empty()).then(|| (*path).to_owned());
        list.push(ValuesReference {
            kind: ValuesReferenceKind::ConfigMap,
            name,
            target_path,
            ..Default::default()
        });
    }
    compose("ns", Some(&spec), &list, &contents).map(|composed| Json::Object(composed.values))
}

#[test]
fn values_at_paths_win_where_flux_lets_them() {
    let merged = "a: {x: 1}";
    for (row, spec, references, expected) in [
        (1, json!({"flat": "v"}), vec![("flat", "fromref")], json!({"flat": "v"})),
        (2, json!({"a": {"b": "v"}}), vec![("a.b", "fromref")], json!({"a": {"b": "fromref"}})),
        (
            3,
            json!({"a": {"b": "v"}}),
            vec![("", merged), ("a.b", "fromref")],
            json!({"a": {"b": "v", "x": 1.0}}),
        ),
        (
            4,
            json!({"a": {"b": "v"}}),
            vec![("a.b", "fromref"), ("", merged)],
            json!({"a": {"b": "fromref", "x": 1.0}}),
        ),
        (
            5,
            json!({"a": {"b": ["p", "q"]}}),
            vec![("", merged), ("a.b[0]", "fromref")],
            json!({"a": {"b": ["fromref", "q"], "x": 1.0}}),
        ),
        (6, json!({"b": ["p", "q"]}), vec![("b[0]", "fromref")], json!({"b": ["fromref", "q"]})),
        (7, json!({"b": ["p", "q"]}), vec![("b[3]", "fromref")], json!({"b": ["p", "q"]})),
        (8, json!({"a": {"b": "v"}}), vec![("a.b", "null")], json!({"a": {"b": null}})),
        (
            9,
            json!({"a": {"z": {"b": "v"}}}),
            vec![("", merged), ("a.z.b", "fromref")],
            json!({"a": {"x": 1.0, "z": {"b": "fromref"}}}),
        ),
    ] {
        assert_eq!(composed(spec, &references).unwrap(), expected, "row {row}");
    }
}

#[test]
fn a_list_that_grows_in_a_shared_table_stays_grown() {
    let expected = json!({"a": {"b": ["p", null, "x"]}});
    assert_eq!(composed(json!({"a": {"b": ["p"]}}), &[("a.b[2]", "x")]).unwrap(), expected);
}

#[test]
fn later_values_replace_earlier_ones() {
    let got = composed(json!({"c": null}), &[("", "a: {x: 1, l: [1]}\nc: 1"), ("", "a: {z: on, l: [2, 3]}")])
        .unwrap();
    assert_eq!(got, json!({"a": {"x": 1.0, "l": [2.0, 3.0], "z": true}, "c": null}));
}

#[test]
fn values_at_paths_have_types() {
    let at = |content: &str| composed(json!({}), &[("p", content)]).map(|values| values["p"].clone());
    for (content, expected) in [
        ("true", json!(true)),
        ("TRUE", json!(true)),
        ("12", json!(12)),
        ("012", json!("012")),
        ("1.5", json!("1.5")),
        ("{a,b}", json!(["a", "b"])),
        ("", json!("")),
        ("'12'", json!("12")),
        ("\"a'\"", json!("a")),
        ("'a", json!("'a")),
    ] {
        assert_eq!(at(content).unwrap(), expected, "{content}");
    }
    assert_eq!(
        at("a,b").unwrap_err().to_string(),
        "could not resolve ConfigMap chart values reference 'ns/c0' with key 'values.yaml': key \"b\" has no value"
    );
    assert_eq!(composed(json!({}), &[("p", "1,q=2")]).unwrap(), json!({"p": 1, "q": 2}));
    assert_eq!(composed(json!({}), &[(r"a\.b/c.d", "1")]).unwrap(), json!({"a.b/c": {"d": 1}}));
}

#[test]
fn literal_values_are_stored_as_they_stand() {
    let text = "a,b=[c]\n{d}: \\e\n";
    let data = BTreeMap::from([("k".to_owned(), text.as_bytes().to_vec())]);
    let contents = Contents::from([((ValuesReferenceKind::Secret, "s".to_owned()), Some(data))]);
    let reference = ValuesReference {
        name: "s".into(),
        values_key: Some("k".into()),
        target_path: Some("x.y".into()),
        literal: true,
        ..Default::default()
    };
    let composed = compose("ns", None, &[reference], &contents).unwrap();
    assert_eq!(Json::Object(composed.values), json!({"x": {"y": text}}));
}

#[test]
fn what_leads_nowhere_is_named() {
    let data = BTreeMap::from([("other".to_owned(), Vec::new())]);
    let contents = Contents::from([
        ((ValuesReferenceKind::Secret, "gone".to_owned()), None),
        ((ValuesReferenceKind::Secret, "there".to_owned()), Some(data)),
    ]);
    let reference =
        |name: &str, optional| ValuesReference { name: name.into(), optional, ..Default::default() };
    let error = |name| compose("ns", None, &[reference(name, false)], &contents).unwrap_err().to_string();
    let begin = |name| {
        format!("could not resolve Secret chart values reference 'ns/{name}' with key 'values.yaml': ")
    };
    assert_eq!(error("gone"), begin("gone") + "secrets \"gone\" not found");
    assert_eq!(error("there"), begin("there") + "key not found");
    let forgiving =
        compose("ns", None, &[reference("gone", true), reference("there", true)], &contents).unwrap();
    assert_eq!(forgiving.forgiven.len(), 2);
    assert!(forgiving.forgiven[0].starts_with("could not resolve optional Secret"));
    let bad = composed(json!({}), &[("", "- 1")]).unwrap_err().to_string();
    assert!(bad.contains("cannot unmarshal array into Go value of type map[string]interface {}"), "{bad}");
}
