//! From spec and Secrets to what is asked of the Git server. Pure.

use api::{
    condition::{Reason, Type},
    source::{GitProvider, GitRepositorySpec},
};
use git::{Auth, Reference, Remote};
use net::auth;
use url::Url;

use crate::source::{Failure, NamedSecret};

/// Checks the fields that this release does not serve, so that nobody gets an artifact other than the one asked for.
pub(crate) fn check_supported(spec: &GitRepositorySpec, object_identity_gate: bool) -> Result<(), Failure> {
    if spec.service_account_name.is_some() && !object_identity_gate {
        return Err(Failure { condition: Some(Type::FetchFailed), ..Failure::identity_gate() });
    }
    match spec.provider() {
        GitProvider::Github if spec.secret_ref.is_none() => {
            Err(Failure::fetch(Reason::InvalidProviderConfiguration, GITHUB_SECRET_REQUIRED).terminal())
        }
        GitProvider::Aws | GitProvider::Azure => Err(Failure::fetch(
            Reason::InvalidProviderConfiguration,
            format!(
                "spec.provider '{}' is not supported by this release: use 'generic' with spec.secretRef",
                if spec.provider() == GitProvider::Aws { "aws" } else { "azure" },
            ),
        )
        .terminal()),
        GitProvider::Generic | GitProvider::Github => Ok(()),
    }
}

const GITHUB_SECRET_REQUIRED: &str =
    "secretRef with github app data must be specified when provider is set to github";

/// The remote of the object: URL, credentials, TLS, proxy.
pub(crate) fn remote(
    spec: &GitRepositorySpec,
    secret: Option<&NamedSecret>,
    proxy: Option<&NamedSecret>,
) -> Result<Remote, Failure> {
    let proxy = proxy
        .map(|proxy| net::Proxy::from_secret(&proxy.name, &proxy.data))
        .transpose()
        .map_err(|why| authentication(format!("failed to configure proxy options: {why}")))?;
    let url = Url::parse(&spec.url).map_err(|why| {
        Failure::fetch(Reason::UrlInvalid, format!("failed to parse url '{}': {why}", spec.url)).terminal()
    })?;
    check_provider(spec, secret)?;
    let options =
        |why: net::Error| authentication(format!("failed to configure authentication options: {why}"));
    let data = secret.map(|secret| &secret.data);
    let tls = match secret {
        Some(secret) if url.scheme() == "https" => {
            auth::git_tls(&secret.name, &secret.data).map_err(options)?
        }
        _ => net::Tls::default(),
    };
    let auth = match url.scheme() {
        "ssh" => Auth::Ssh(auth::git_ssh(&url, data).map_err(options)?),
        _ => Auth::Http(auth::git_http(&url, data).map_err(options)?),
    };
    Ok(Remote { url, auth, tls, proxy, timeout: spec.timeout() })
}

fn check_provider(spec: &GitRepositorySpec, secret: Option<&NamedSecret>) -> Result<(), Failure> {
    let has_app = secret.is_some_and(|secret| auth::has_github_app(&secret.data));
    match (spec.provider(), secret) {
        (GitProvider::Generic, Some(secret)) if has_app => Err(Failure::fetch(
            Reason::InvalidProviderConfiguration,
            format!("secretRef '{}' has github app data but provider is not set to github", secret.name),
        )),
        (GitProvider::Github, _) if !has_app => {
            Err(Failure::fetch(Reason::InvalidProviderConfiguration, GITHUB_SECRET_REQUIRED))
        }
        (GitProvider::Github, Some(secret)) => Err(Failure::fetch(
            Reason::InvalidProviderConfiguration,
            format!(
                "spec.provider 'github' is not supported by this release: use 'generic' and put an access token as \
                 'username' and 'password' into secretRef '{}'",
                secret.name
            ),
        )),
        _ => Ok(()),
    }
}

fn authentication(message: String) -> Failure {
    Failure::fetch(Reason::AuthenticationFailed, message)
}

/// What of the repository is wanted. Where several fields are set the most specific wins, in Flux's order (a tag beats a
/// range, whatever the API text of Flux says).
pub(crate) fn reference(spec: &GitRepositorySpec) -> Reference {
    let Some(wanted) = &spec.reference else {
        return Reference::Branch(DEFAULT_BRANCH.to_owned());
    };
    let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    if let Some(sha) = given(&wanted.commit) {
        return Reference::Commit { sha, branch: given(&wanted.branch) };
    }
    given(&wanted.name)
        .map(Reference::Name)
        .or_else(|| given(&wanted.tag).map(Reference::Tag))
        .or_else(|| given(&wanted.semver).map(Reference::Semver))
        .unwrap_or_else(|| {
            Reference::Branch(given(&wanted.branch).unwrap_or_else(|| DEFAULT_BRANCH.to_owned()))
        })
}

const DEFAULT_BRANCH: &str = "master";

#[cfg(test)]
mod tests {
    use super::*;
    use api::{meta::LocalObjectReference, source::GitReference};

    use crate::source::Class;

    fn spec(url: &str) -> GitRepositorySpec {
        GitRepositorySpec { url: url.to_owned(), ..GitRepositorySpec::default() }
    }

    fn secret(pairs: &[(&str, &str)]) -> NamedSecret {
        let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        NamedSecret { name: "apps/login".to_owned(), type_: "Opaque".to_owned(), data }
    }

    fn failure<T>(result: Result<T, Failure>) -> (Option<Type>, &'static str, String, Class) {
        let failure = result.err().expect("a failure");
        (failure.condition, failure.reason.as_str(), failure.message, failure.class)
    }

    #[test]
    fn the_most_specific_reference_wins() {
        let wanted = |commit: &str, name: &str, tag: &str, semver: &str, branch: &str| {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let reference_ = GitReference {
                commit: given(commit),
                name: given(name),
                tag: given(tag),
                semver: given(semver),
                branch: given(branch),
            };
            reference(&GitRepositorySpec { reference: Some(reference_), ..spec("https://h/r") })
        };
        let sha = "a".repeat(40);
        assert_eq!(reference(&spec("https://h/r")), Reference::Branch("master".into()));
        assert_eq!(wanted("", "", "", "", ""), Reference::Branch("master".into()));
        assert_eq!(wanted("", "", "", "", "main"), Reference::Branch("main".into()));
        assert_eq!(wanted("", "", "", ">=1", "main"), Reference::Semver(">=1".into()));
        assert_eq!(wanted("", "", "v1", ">=1", "main"), Reference::Tag("v1".into()));
        assert_eq!(
            wanted("", "refs/pull/1/head", "v1", ">=1", "main"),
            Reference::Name("refs/pull/1/head".into())
        );
        assert_eq!(
            wanted(&sha, "refs/pull/1/head", "v1", "", "main"),
            Reference::Commit { sha: sha.clone(), branch: Some("main".into()) }
        );
    }

    #[test]
    fn a_url_that_does_not_parse_stalls() {
        let (condition, reason, message, class) = failure(remote(&spec("https://h:port/r"), None, None));
        assert_eq!((condition, reason, class), (Some(Type::FetchFailed), "URLInvalid", Class::Stall));
        assert!(message.starts_with("failed to parse url 'https://h:port/r': "), "{message}");
    }

    #[test]
    fn credentials_that_cannot_work_are_named() {
        let (_, reason, message, class) = failure(remote(&spec("ssh://git@h/r"), None, None));
        assert_eq!((reason, class), ("AuthenticationFailed", Class::Retry));
        assert_eq!(
            message,
            "failed to configure authentication options: invalid 'ssh' auth option: 'identity' is required"
        );
        let (_, reason, message, _) =
            failure(remote(&spec("https://h/r"), Some(&secret(&[("githubAppID", "1")])), None));
        assert_eq!(reason, "InvalidProviderConfiguration");
        assert_eq!(message, "secretRef 'apps/login' has github app data but provider is not set to github");
    }

    #[test]
    fn providers_without_support_are_refused() {
        let github = GitRepositorySpec { provider: Some(GitProvider::Github), ..spec("https://h/r") };
        assert_eq!(failure(check_supported(&github, false)).3, Class::Stall);
        let with_secret =
            GitRepositorySpec { secret_ref: Some(LocalObjectReference { name: "login".into() }), ..github };
        assert!(check_supported(&with_secret, false).is_ok());
        let basic = secret(&[("username", "u"), ("password", "p")]);
        let (_, _, message, class) = failure(remote(&with_secret, Some(&basic), None));
        assert_eq!((message.as_str(), class), (GITHUB_SECRET_REQUIRED, Class::Retry));
        let azure = GitRepositorySpec {
            provider: Some(GitProvider::Azure),
            service_account_name: Some("robot".into()),
            ..spec("https://h/r")
        };
        assert_eq!(failure(check_supported(&azure, false)).1, "FeatureGateDisabled");
        assert_eq!(failure(check_supported(&azure, true)).1, "InvalidProviderConfiguration");
    }
}
