//! The CEL filters of a Receiver.

use api::notification::{ReceiverSpec, ReceiverType};
use bytes::Bytes;
use cel::Expression;
use serde_json::Value;

use super::hook::{Accepted, Hook};
use super::resource::Found;

fn variables(kind: ReceiverType) -> &'static [&'static str] {
    if kind == ReceiverType::GenericOidc { &["res", "req", "claims"] } else { &["res", "req"] }
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether all filters compile.
pub fn check(spec: &ReceiverSpec) -> Result<(), String> {
    let compile = |text: &str| Expression::compile_boolean(text, variables(spec.kind)).map(|_| ());
    if let Some(text) = given(spec.resource_filter.as_ref()) {
        compile(text).map_err(|error| format!("invalid resourceFilter expression: {error}"))?;
    }
    for (index, resource) in spec.resources.iter().enumerate() {
        if let Some(text) = given(resource.filter.as_ref()) {
            compile(text).map_err(|error| {
                format!(
                    "invalid filter expression for resources[{index}] (kind=\"{}\", name=\"{}\"): {error}",
                    resource.kind.as_str(),
                    resource.name
                )
            })?;
        }
    }
    Ok(())
}

/// The filters of a Receiver, with what a call says.
pub struct Filters {
    all: Option<Expression>,
    each: Vec<Option<Expression>>,
    request: Value,
    claims: Option<Value>,
}

impl Filters {
    /// Compiles the filters, and reads the body if there are any.
    ///
    /// # Errors
    /// A filter does not compile, or the body is not a JSON object.
    pub fn of(spec: &ReceiverSpec, hook: &Hook, accepted: Accepted) -> Result<Self, String> {
        let compile = |text: Option<&String>| {
            given(text).map(|text| Expression::compile_boolean(text, variables(spec.kind))).transpose()
        };
        let all = compile(spec.resource_filter.as_ref()).map_err(|error| error.to_string())?;
        let each: Result<Vec<_>, _> =
            spec.resources.iter().map(|resource| compile(resource.filter.as_ref())).collect();
        let each = each.map_err(|error| error.to_string())?;
        let request = if all.is_some() || each.iter().any(Option::is_some) {
            body(hook, accepted.payload)?
        } else {
            Value::Null
        };
        Ok(Self { all, each, request, claims: accepted.claims })
    }

    /// Whether the object of the entry with this number is to be reached.
    ///
    /// # Errors
    /// A filter does not fit the data.
    pub fn pass(&self, entry: usize, object: &Found) -> Result<bool, String> {
        let none = Value::Null;
        let claims = self.claims.as_ref().unwrap_or(&none);
        let own = self.each.get(entry).and_then(Option::as_ref);
        for filter in self.all.iter().chain(own) {
            let verdict =
                filter.evaluate([("res", &object.json), ("req", &self.request), ("claims", claims)]);
            if !verdict.map_err(|error| error.to_string())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn body(hook: &Hook, payload: Option<Bytes>) -> Result<Value, String> {
    let bytes = match payload {
        Some(payload) => payload,
        None if hook.is_json() => hook.body.clone(),
        None => return Ok(Value::Object(serde_json::Map::new())),
    };
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err("failed to parse request body as JSON: it is no JSON object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn spec(kind: &str, all: Option<&str>, own: Option<&str>) -> ReceiverSpec {
        serde_json::from_value(json!({
            "type": kind, "resourceFilter": all,
            "resources": [{ "kind": "GitRepository", "name": "a", "filter": own }],
        }))
        .expect("a spec")
    }

    fn hook(media_type: &'static str, body: &'static str) -> Hook {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static(media_type));
        Hook { headers, body: Bytes::from_static(body.as_bytes()) }
    }

    fn passes(spec: &ReceiverSpec, hook: &Hook) -> Result<bool, String> {
        let object = Found { json: json!({ "kind": "GitRepository", "metadata": { "name": "a" } }) };
        Filters::of(spec, hook, Accepted::default())?.pass(0, &object)
    }

    #[test]
    fn both_filters_have_to_hold() {
        let json = hook("application/json", r#"{"ref":"x"}"#);
        let all = Some("req.ref == 'x'");
        assert_eq!(passes(&spec("generic", all, Some("res.metadata.name == 'a'")), &json), Ok(true));
        assert_eq!(passes(&spec("generic", all, Some("res.metadata.name == 'b'")), &json), Ok(false));
        assert_eq!(passes(&spec("generic", None, None), &hook("application/json", "nonsense")), Ok(true));
    }

    #[test]
    fn bodies_are_objects_or_empty() {
        let guarded = spec("generic", Some("has(req.ref) && req.ref == 'x'"), None);
        assert_eq!(passes(&guarded, &hook("application/json", "{}")), Ok(false));
        assert_eq!(passes(&guarded, &hook("text/plain", r#"{"ref":"x"}"#)), Ok(false));
        let bare = spec("generic", Some("req.ref == 'x'"), None);
        assert!(
            passes(&bare, &hook("application/json", "{}")).expect_err("an error").contains("no such key")
        );
        for body in ["[]", "x", "5"] {
            assert!(passes(&guarded, &hook("application/json", body)).is_err());
        }
    }

    /// Case 71: a push of an image reaches the repository of that name only.
    #[test]
    fn pushes_reach_the_repository_of_their_tag() {
        let spec = spec("gcr", Some("req.tag.contains(res.metadata.name)"), None);
        let accepted =
            || Accepted { payload: Some(Bytes::from_static(br#"{"tag":"gcr.io/p/app:1"}"#)), claims: None };
        for (name, expected) in [("app", true), ("other", false)] {
            let object = Found { json: json!({ "kind": "ImageRepository", "metadata": { "name": name } }) };
            let filters = Filters::of(&spec, &hook("application/json", "{}"), accepted()).expect("filters");
            assert_eq!(filters.pass(0, &object), Ok(expected), "{name}");
        }
    }

    #[test]
    fn claims_are_for_oidc_only() {
        let filter = Some("claims.x == 'y'");
        assert!(check(&spec("generic-oidc", filter, None)).is_ok());
        let error = check(&spec("github", filter, None)).expect_err("an error");
        assert!(error.starts_with("invalid resourceFilter expression: "), "{error}");
        let error = check(&spec("github", None, Some("1"))).expect_err("an error");
        assert!(error.starts_with(
            "invalid filter expression for resources[0] (kind=\"GitRepository\", name=\"a\"): "
        ));
    }
}
