//! What tells the commit status of an object from those of others.

use api::notification::{Alert, Provider};
use cel::Expression;
use kube::ResourceExt as _;

use crate::event::Event;

/// The id: what `spec.commitStatusExpr` yields, else `kind/name/first part of the Provider's UID`. `event` carries the
/// merged metadata.
///
/// # Errors
/// The expression does not compile or fits not the data.
pub fn status_id(provider: &Provider, alert: &Alert, event: &Event) -> Result<String, String> {
    let Some(expression) = provider.spec.commit_status_expr.as_deref().filter(|text| !text.is_empty()) else {
        let uid = provider.uid().unwrap_or_default();
        let part = uid.split('-').next().unwrap_or_default();
        return Ok(format!("{}/{}/{part}", event.involved.kind, event.involved.name).to_lowercase());
    };
    let value =
        |value: Result<serde_json::Value, serde_json::Error>| value.map_err(|error| error.to_string());
    let (alert, provider) = (value(serde_json::to_value(alert))?, value(serde_json::to_value(provider))?);
    Expression::compile_string(expression, &["event", "alert", "provider"])
        .and_then(|expression| {
            expression.evaluate_string([("event", &event.json()), ("alert", &alert), ("provider", &provider)])
        })
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(expression: Option<&str>) -> Result<String, String> {
        let mut provider: Provider = serde_json::from_str(
            r#"{"metadata":{"name":"p","uid":"0c9c2e41-d2f9-4f9b"},"spec":{"type":"github"}}"#,
        )
        .expect("a provider");
        provider.spec.commit_status_expr = expression.map(str::to_owned);
        let mut event = Event::default();
        event.involved.kind = "Kustomization".to_owned();
        event.involved.name = "apps".to_owned();
        event.metadata.insert("env".to_owned(), "x".to_owned());
        let alert: Alert = serde_json::from_str(
            r#"{"metadata":{"name":"al"},"spec":{"providerRef":{"name":"p"},"eventSources":[]}}"#,
        )
        .expect("an alert");
        status_id(&provider, &alert, &event)
    }

    #[test]
    fn ids_come_from_the_object_or_the_expression() {
        assert_eq!(id(None).as_deref(), Ok("kustomization/apps/0c9c2e41"));
        assert_eq!(id(Some("event.metadata.env + '/' + event.involvedObject.name")).as_deref(), Ok("x/apps"));
        assert_eq!(id(Some("alert.metadata.name + '-' + provider.metadata.name")).as_deref(), Ok("al-p"));
        assert!(id(Some("event.metadata.missing + ''")).expect_err("an error").contains("missing"));
        assert!(id(Some("1")).expect_err("an error").contains("expected string, got int"));
        assert!(id(Some("other")).expect_err("an error").contains("undeclared"));
    }
}
