//! GitHub: commit statuses, repository dispatches, comments on pull requests.

use std::time::Duration;

use api::notification::ProviderType;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use jiff::Timestamp;
use net::Secret;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use url::Url;

use super::comment::{self, Comments, Thread};
use super::commit_status::{Words, newest_says, required_id, status, unless_said};
use super::git_address::Repository;
use super::settings::Settings;
use super::step::{Call, Error, Step, TokenCall, Use, address, failed, setup};
use crate::digest::sha256_hex;
use crate::event::Event;

/// How long GitHub lets tokens of Apps live.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

const WORDS: Words =
    Words { pending: None, success: "success", failure: "failure", neither: "can't convert to github state" };

struct Host {
    api: String,
    owner: String,
    name: String,
}

fn host(settings: &Settings) -> Result<Host, Error> {
    let repository = Repository::parse(&settings.address)?;
    let Some([owner, name]) = repository.parts::<2>() else {
        return setup(format!("invalid repository id: '{}'", repository.id));
    };
    let api = if repository.host == "https://github.com" || repository.host == "http://github.com" {
        "https://api.github.com".to_owned()
    } else {
        format!("{}/api/v3", repository.host)
    };
    Ok(Host { owner: owner.to_owned(), name: name.to_owned(), api })
}

impl Host {
    fn url(&self, path: &str) -> Result<Url, Error> {
        address(&format!("{}/repos/{}/{}/{path}", self.api, self.owner, self.name))
    }
}

fn call(method: Method, url: Url, token: &Secret) -> Result<Call, Error> {
    Call::new(method, url)
        .header("accept", "application/vnd.github.v3+json")
        .again(super::step::Again::Quick)
        .bearer(token)
}

/// A commit status.
pub fn plan(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    let id = required_id(&settings.status_id)?;
    let host = host(settings)?;
    let login = login(settings, &host, now)?;
    let Some(status) = status(id, event, &WORDS)? else { return Ok(Step::Done) };
    let list = host.url(&format!("commits/{}/statuses?per_page=50", status.commit))?;
    let write = host.url(&format!("statuses/{}", status.commit))?;
    login.then(Box::new(move |token| {
        let list = call(Method::GET, list, token)?.context("could not list commit statuses: ");
        let write = call(Method::POST, write, token)?
            .json(&json!({ "state": status.state, "context": status.id, "description": status.description }))
            .context("could not create commit status: ");
        let said = move |known: &Value| {
            newest_says(
                known,
                ("context", &status.id),
                &[("state", status.state), ("description", &status.description)],
            )
        };
        Ok(unless_said(list, false, said, write))
    }))
}

/// A repository dispatch, which starts workflows.
pub fn dispatch(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    let host = host(settings)?;
    let login = login(settings, &host, now)?;
    let object = &event.involved;
    let payload = json!({
        "event_type": format!("{}/{}.{}", object.kind, object.name, object.namespace),
        "client_payload": event.json(),
    });
    let url = host.url("dispatches")?;
    login.then(Box::new(move |token| {
        Ok(call(Method::POST, url, token)?
            .json(&payload)
            .context("could not send github repository dispatch webhook: ")
            .last())
    }))
}

/// A comment on a pull request.
pub fn comment(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    let host = host(settings)?;
    let login = login(settings, &host, now)?;
    let number = comment::number(event)?;
    let api = host.api.clone();
    let thread = Thread {
        list: host.url(&format!("issues/{number}/comments?direction=asc&per_page=100&sort=created"))?,
        create: host.url(&format!("issues/{number}/comments"))?,
        one: host.url("issues/comments")?.into(),
        edit: Method::PATCH,
        author: "/user/login",
        key: "flux-pr-comment-key",
    };
    let bot = login.bot_of_app();
    let comments = Comments::new(settings, event, thread);
    login.then(Box::new(move |token| {
        let owned = token.clone();
        let comments = comments.by(Box::new(move |method, url| call(method, url, &owned)));
        // An App writes under the name of its bot.
        let Some(jwt) = bot else {
            return comments.under_own_name(address(&format!("{api}/user"))?, "login");
        };
        let whoami = call(Method::GET, address(&format!("{api}/app"))?, &jwt)?
            .context("could not get the GitHub App: ");
        Ok(whoami.then(move |reply| {
            let app = reply.document()?;
            let slug = app.get("slug").and_then(Value::as_str).unwrap_or_default();
            comments.upsert(&format!("{slug}[bot]"))
        }))
    }))
}

/// How requests are authorised.
enum Login {
    Token(Secret),
    App(App),
}

struct App {
    api: String,
    id: String,
    installation: Option<String>,
    owner: Option<String>,
    jwt: Secret,
    key: String,
}

fn login(settings: &Settings, host: &Host, now: Timestamp) -> Result<Login, Error> {
    if let Some(token) = settings.token_or_password() {
        return Ok(Login::Token(token.clone()));
    }
    let Some(id) = settings.text("githubAppID") else {
        return setup("github token or github app details must be specified");
    };
    let installation = settings.text("githubAppInstallationID");
    let owner = settings.text("githubAppInstallationOwner");
    if installation.is_some() == owner.is_some() {
        return setup(
            "the Secret must have exactly one of githubAppInstallationID and githubAppInstallationOwner",
        );
    }
    let Some(pem) = settings.data.get("githubAppPrivateKey") else {
        return setup("the Secret has githubAppID but no githubAppPrivateKey");
    };
    let api = match settings.text("githubAppBaseURL") {
        Some(base) => base.trim_end_matches('/').to_owned(),
        None => host.api.clone(),
    };
    let key = [
        "github",
        &api,
        &id,
        installation.as_deref().unwrap_or_default(),
        owner.as_deref().unwrap_or_default(),
        &sha256_hex(pem),
    ]
    .join("\n");
    let jwt = app_jwt(&id, pem, now)?;
    Ok(Login::App(App { api, id, installation, owner, jwt, key }))
}

impl Login {
    fn then(self, use_: Use) -> Result<Step, Error> {
        match self {
            Self::Token(token) => use_(&token),
            Self::App(app) => {
                let key = app.key.clone();
                Ok(Step::Token(Box::new(TokenCall {
                    key,
                    first: Box::new(move || app.obtain()),
                    then: use_,
                })))
            }
        }
    }

    /// The token that an App asks for itself with.
    fn bot_of_app(&self) -> Option<Secret> {
        match self {
            Self::Token(_) => None,
            Self::App(app) => Some(app.jwt.clone()),
        }
    }
}

impl App {
    fn obtain(self) -> Result<Step, Error> {
        if let Some(id) = self.installation.clone() {
            return self.exchange(&id);
        }
        let owner = self.owner.clone().unwrap_or_default();
        let by_organisation =
            call(Method::GET, address(&format!("{}/orgs/{owner}/installation", self.api))?, &self.jwt)?;
        Ok(by_organisation.then(move |reply| {
            if reply.status.is_success() {
                return self.exchange(&installation_id(&reply.document()?)?);
            }
            let by_user =
                call(Method::GET, address(&format!("{}/users/{owner}/installation", self.api))?, &self.jwt)?
                    .context("could not find the installation of the GitHub App: ");
            Ok(by_user.then(move |reply| self.exchange(&installation_id(&reply.document()?)?)))
        }))
    }

    fn exchange(&self, installation: &str) -> Result<Step, Error> {
        let url = address(&format!("{}/app/installations/{installation}/access_tokens", self.api))?;
        let exchange =
            call(Method::POST, url, &self.jwt)?.context("could not get a token of the GitHub App: ");
        let id = self.id.clone();
        Ok(exchange.then(move |reply| {
            let answer = reply.document()?;
            match answer.get("token").and_then(Value::as_str) {
                Some(token) => Ok(Step::Obtained(Secret::new(token), TOKEN_LIFE)),
                None => failed(format!("the reply for GitHub App {id} has no token")),
            }
        }))
    }
}

fn installation_id(answer: &Value) -> Result<String, Error> {
    match answer.get("id").and_then(Value::as_i64) {
        Some(id) => Ok(id.to_string()),
        None => failed("the GitHub App has no installation for this owner"),
    }
}

fn app_jwt(id: &str, pem: &[u8], now: Timestamp) -> Result<Secret, Error> {
    let seconds = now.as_second();
    let claims = json!({ "iat": seconds - 30, "exp": seconds + 120, "iss": id });
    signed_jwt(pem, &claims, "githubAppPrivateKey")
}

/// A JWT, signed with RS256.
pub fn signed_jwt(pem: &[u8], claims: &Value, what: &str) -> Result<Secret, Error> {
    let bad = || Error::Setup(format!("{what} is not an RSA private key in PEM"));
    let pair = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| bad())? {
        PrivateKeyDer::Pkcs1(key) => ring::signature::RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => ring::signature::RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(bad()),
    }
    .map_err(|_| bad())?;
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &ring::signature::RSA_PKCS1_SHA256,
        &ring::rand::SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| bad())?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// TLS settings are for GitHub Enterprise; github.com is always checked against the system's CAs.
pub fn keeps_certificates(settings: &Settings) -> bool {
    let github = matches!(
        settings.kind,
        ProviderType::Github | ProviderType::GithubDispatch | ProviderType::GithubPullRequestComment
    );
    !github
        || Repository::parse(&settings.address)
            .is_ok_and(|repository| !repository.host.ends_with("//github.com"))
}
