//! `generic-oidc`: any caller with a token of a trusted issuer that says the right things.

use api::notification::{OidcProvider, ReceiverSpec, ReceiverType};
use cel::Expression;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::hook::{Accepted, Hook, Refusal, refused};
use super::issuer::Issuers;
use super::jwt::Token;

/// The audience of tokens where the Receiver names none.
const AUDIENCE: &str = "notification-controller";

/// Verifies `Authorization: Bearer`.
pub async fn verify(
    spec: &ReceiverSpec,
    issuers: &Issuers,
    hook: &Hook,
    now: Timestamp,
) -> Result<Accepted, Refusal> {
    let Some(text) = hook.header("authorization").strip_prefix("Bearer ") else {
        return refused("the Authorization header has no Bearer token");
    };
    let token = Token::parse(text.trim())?;
    let issuer = token.claim("iss");
    if issuer.is_empty() {
        return refused("the token names no issuer");
    }
    let Some(provider) = spec.oidc_providers.iter().find(|provider| provider.issuer_url == issuer) else {
        return refused("the issuer of the token is not one of spec.oidcProviders");
    };
    issuers.verify(issuer, &token).await?;
    let audience = provider.audience.as_deref().filter(|audience| !audience.is_empty()).unwrap_or(AUDIENCE);
    token.check_claims(now.as_second(), audience)?;
    judge(provider, &token.claims)?;
    Ok(Accepted { payload: None, claims: Some(token.claims) })
}

/// Evaluates the variables in order, then every validation.
fn judge(provider: &OidcProvider, claims: &Value) -> Result<(), Refusal> {
    let mut variables = Value::Object(Map::new());
    for variable in &provider.variables {
        let value = Expression::compile(&variable.expression, &["claims", "vars"])
            .and_then(|expression| expression.evaluate_json([("claims", claims), ("vars", &variables)]))
            .map_err(|error| {
                Refusal(format!("failed to evaluate variable \"{}\": {error}", variable.name))
            })?;
        if let Some(variables) = variables.as_object_mut() {
            variables.insert(variable.name.clone(), value);
        }
    }
    let mut failed = Vec::new();
    for validation in &provider.validations {
        let holds = Expression::compile_boolean(&validation.expression, &["claims", "vars"])
            .and_then(|expression| expression.evaluate([("claims", claims), ("vars", &variables)]))
            .map_err(|error| Refusal(format!("failed to evaluate validation: {error}")))?;
        if !holds {
            failed.push(validation.message.as_str());
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        refused(format!("token validation failed: {}", failed.join("; ")))
    }
}

/// What is wrong with the OIDC part of a Receiver that the API server should have refused.
pub fn check_rules(spec: &ReceiverSpec) -> Result<(), String> {
    let is_oidc = spec.kind == ReceiverType::GenericOidc;
    let rules = [
        (
            is_oidc && spec.oidc_providers.is_empty(),
            "generic-oidc receivers must define at least one oidcProvider",
        ),
        (
            !is_oidc && !spec.oidc_providers.is_empty(),
            "oidcProviders can only be set when type is generic-oidc",
        ),
        (is_oidc && spec.secret_ref.is_some(), "secretRef cannot be set when type is generic-oidc"),
        (!is_oidc && spec.secret_ref.is_none(), "secretRef is required when type is not generic-oidc"),
    ];
    if let Some((_, message)) = rules.iter().find(|(broken, _)| *broken) {
        return Err((*message).to_owned());
    }
    for (index, provider) in spec.oidc_providers.iter().enumerate() {
        let wrong = |what: &str| Err(format!("oidcProviders[{index}]: {what}"));
        if !provider.issuer_url.starts_with("http://") && !provider.issuer_url.starts_with("https://") {
            return wrong("issuerURL must begin with http:// or https://");
        }
        if spec.oidc_providers.iter().take(index).any(|other| other.issuer_url == provider.issuer_url) {
            return wrong("issuerURL is there twice");
        }
        if provider.validations.is_empty() {
            return wrong("at least one validation is required");
        }
        if provider
            .variables
            .iter()
            .any(|variable| variable.name.is_empty() || variable.expression.is_empty())
        {
            return wrong("a variable needs name and expression");
        }
        if provider
            .validations
            .iter()
            .any(|validation| validation.expression.is_empty() || validation.message.is_empty())
        {
            return wrong("a validation needs expression and message");
        }
    }
    Ok(())
}

/// Whether all expressions compile.
pub fn check_expressions(spec: &ReceiverSpec) -> Result<(), String> {
    for provider in &spec.oidc_providers {
        for variable in &provider.variables {
            Expression::compile(&variable.expression, &["claims", "vars"])
                .map_err(|error| format!("invalid expression of variable \"{}\": {error}", variable.name))?;
        }
        for validation in &provider.validations {
            Expression::compile_boolean(&validation.expression, &["claims", "vars"])
                .map_err(|error| format!("invalid validation expression: {error}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn tokens_of_a_trusted_issuer_are_believed() {
        use super::super::jwt::tests::{Issuer, served};
        let (issuer, other) = (Issuer::new(), Issuer::new());
        let url = served(|_| issuer.keys()).await;
        let validations = json!([
            { "expression": "claims.sub == 'me'", "message": "not me" },
            { "expression": "has(claims.x)", "message": "no x" },
        ]);
        let spec: ReceiverSpec = serde_json::from_value(json!({
            "type": "generic-oidc", "resources": [],
            "oidcProviders": [{ "issuerURL": url, "validations": validations }],
        }))
        .expect("a spec");
        let issuers = Issuers::new("test", net::AddressGuard::Off);
        let now = Timestamp::from_second(1000).expect("a time");
        let call = |value: String| {
            let mut headers = http::HeaderMap::new();
            headers.insert("authorization", value.parse().expect("a value"));
            Hook { headers, body: Default::default() }
        };
        let good = json!({ "iss": url, "aud": "notification-controller", "exp": 2000, "sub": "me", "x": 1 });
        let token = |issuer: &Issuer, algorithm: &str, claims: &Value| {
            format!("Bearer {}", issuer.sign(algorithm, claims))
        };
        let accepted =
            verify(&spec, &issuers, &call(token(&issuer, "ES256", &good)), now).await.expect("believed");
        assert_eq!(accepted.claims, Some(good.clone()));
        for (key, value) in
            [("iss", json!("http://evil")), ("aud", json!("you")), ("exp", json!(900)), ("iss", json!(5))]
        {
            let mut claims = good.clone();
            claims[key] = value;
            let verdict = verify(&spec, &issuers, &call(token(&issuer, "ES256", &claims)), now).await;
            assert!(verdict.is_err(), "{key}");
        }
        for forged in [
            token(&issuer, "none", &good),
            token(&issuer, "HS256", &good),
            token(&other, "ES256", &good),
            "bearer x".to_owned(),
            String::new(),
        ] {
            assert!(verify(&spec, &issuers, &call(forged), now).await.is_err());
        }
        // An issuer on the inside is not asked where that is guarded against.
        let guarded = Issuers::new("test", net::AddressGuard::NoLocal);
        let refusal = verify(&spec, &guarded, &call(token(&issuer, "ES256", &good)), now).await;
        let refusal = refusal.expect_err("refused").to_string();
        assert!(refusal.contains("it is a loopback address"), "{refusal}");
        let wrong = json!({ "iss": url, "aud": "notification-controller", "exp": 2000, "sub": "you" });
        let refusal =
            verify(&spec, &issuers, &call(token(&issuer, "ES256", &wrong)), now).await.expect_err("refused");
        assert_eq!(refusal.to_string(), "token validation failed: not me; no x");
    }

    #[test]
    fn validations_are_collected() {
        let provider: OidcProvider = serde_json::from_value(json!({
            "issuerURL": "https://i",
            "variables": [
                { "name": "repo", "expression": "claims.sub.split(':')[1]" },
                { "name": "org", "expression": "vars.repo.split('/')[0]" },
            ],
            "validations": [
                { "expression": "vars.org == 'org'", "message": "other org" },
                { "expression": "claims.ref == 'main'", "message": "other branch" },
            ],
        }))
        .expect("a provider");
        assert!(judge(&provider, &json!({ "sub": "repo:org/app", "ref": "main" })).is_ok());
        let both = judge(&provider, &json!({ "sub": "repo:x/app", "ref": "dev" })).expect_err("refused");
        assert_eq!(both.to_string(), "token validation failed: other org; other branch");
        let missing = judge(&provider, &json!({ "ref": "dev" })).expect_err("refused").to_string();
        assert!(missing.starts_with("failed to evaluate variable \"repo\": "), "{missing}");
    }

    #[test]
    fn rules_of_the_schema_are_checked_again() {
        let check = |spec: Value| check_rules(&serde_json::from_value(spec).expect("a spec"));
        assert!(check(json!({ "type": "github", "resources": [], "secretRef": { "name": "s" } })).is_ok());
        assert!(check(json!({ "type": "github", "resources": [] })).is_err());
        assert!(check(json!({ "type": "generic-oidc", "resources": [] })).is_err());
        let provider =
            json!({ "issuerURL": "https://i", "validations": [{ "expression": "true", "message": "m" }] });
        assert!(
            check(json!({ "type": "generic-oidc", "resources": [], "oidcProviders": [provider] })).is_ok()
        );
        assert!(
            check(json!({ "type": "generic-oidc", "resources": [], "oidcProviders": [provider, provider] }))
                .is_err()
        );
    }
}
