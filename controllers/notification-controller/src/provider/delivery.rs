//! Doing what a provider's steps say: the one place where deliveries touch the network.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use net::Secret;
use url::Url;

use super::account::Accounts;
use super::settings::Settings;
use super::step::{Again, Call, Error, Reply, Step, failed};
use super::tokens::Tokens;

/// How much of a reply is read. Lists of statuses and comments are the longest.
const LONGEST_REPLY: u64 = 8 * 1024 * 1024;
/// How many times a request may be sent elsewhere.
const MOST_REDIRECTS: usize = 10;

/// Delivers events. Clones share connections and tokens.
#[derive(Clone)]
pub struct Courier {
    clients: net::Clients,
    tokens: Tokens,
    accounts: Accounts,
}

impl Courier {
    /// Without connections.
    pub fn new(user_agent: &str, tokens: Tokens, accounts: Accounts) -> Self {
        Self { clients: net::Clients::new(user_agent), tokens, accounts }
    }

    /// Takes the steps until all is done.
    pub async fn run(&self, settings: &Settings, first: Step) -> Result<(), Error> {
        match self.walk(settings, first).await? {
            None => Ok(()),
            Some(_) => failed("a token is not the end of a delivery"),
        }
    }

    async fn walk(&self, settings: &Settings, first: Step) -> Result<Option<(Secret, Duration)>, Error> {
        let http = &settings.http;
        let mut step = first;
        loop {
            step = match step {
                Step::Done => return Ok(None),
                Step::Obtained(token, life) => return Ok(Some((token, life))),
                Step::Send(call, then) => then(self.send(http, &call).await?)?,
                Step::Account(name, then) => {
                    let account = self.accounts.annotations(&settings.namespace, &name);
                    then(&account.await?)?
                }
                Step::AccountToken(name, audience, then) => {
                    let token = self.accounts.token(&settings.namespace, &name, &audience);
                    then(&token.await?)?
                }
                Step::Nats(publish) => {
                    super::nats::publish(&publish, http.guard).await?;
                    Step::Done
                }
                Step::Token(wanted) => {
                    let token = match self.tokens.get(&settings.owner(), &wanted.key) {
                        Some(token) => token,
                        None => {
                            let obtained = match (wanted.first)() {
                                Ok(first) => Box::pin(self.walk(settings, first)).await,
                                Err(error) => Err(error),
                            };
                            self.tokens.obtained(&settings.owner(), wanted.key, &obtained);
                            let Some((token, _)) = obtained? else { return failed("no token was obtained") };
                            token
                        }
                    };
                    (wanted.then)(&token)?
                }
            };
        }
    }

    async fn send(&self, http: &net::Settings, call: &Call) -> Result<Reply, Error> {
        let mut number = 0;
        loop {
            let sent = self.once(http, call).await;
            let (wanted, after) = match &sent {
                Ok((reply, headers)) => (is_temporary(reply.status, call.again), asked_wait(reply, headers)),
                Err(failure) => (!failure.is_final, None),
            };
            let wait = if wanted { wait(call.again, number) } else { None };
            number += 1;
            match (sent, wait) {
                (_, Some(wait)) => tokio::time::sleep(after.unwrap_or(wait)).await,
                (Ok((reply, _)), None) if wanted && call.again == Again::Usual => {
                    // The words of the client that Flux uses.
                    return failed(format!(
                        "{}failed to execute request: {} {} giving up after {number} attempt(s): status code {}",
                        call.context,
                        call.method,
                        net::display_url(&call.url),
                        reply.status.as_u16()
                    ));
                }
                (Ok((reply, _)), None) => return Ok(reply),
                (Err(failure), None) if failure.is_final => {
                    return failed(format!("{}failed to execute request: {}", call.context, failure.text));
                }
                (Err(failure), None) => {
                    return failed(format!(
                        "{}failed to execute request: {} {} giving up after {number} attempt(s): {}",
                        call.context,
                        call.method,
                        net::display_url(&call.url),
                        failure.text
                    ));
                }
            }
        }
    }

    /// One attempt, with the redirects that it meets.
    async fn once(&self, http: &net::Settings, call: &Call) -> Result<(Reply, HeaderMap), Failure> {
        let own = net::Settings { proxy: http.proxy.clone(), ..net::Settings::default() };
        // Where a reply sends an own call on to is no address of ours.
        let (http, most_redirects) = if call.own { (&own, 0) } else { (http, MOST_REDIRECTS) };
        let client = self.clients.get(http).map_err(|error| Failure::last(error.to_string()))?;
        let (mut method, mut url) = (call.method.clone(), call.url.clone());
        let (mut headers, mut body) = (call.headers.clone(), call.body.clone());
        for _ in 0..=most_redirects {
            check(http.guard, &url)?;
            let request = client.request(method.clone(), url.clone()).headers(headers.clone());
            let response =
                request.body(body.clone()).send().await.map_err(|error| Failure::of(&method, &url, error))?;
            let (status, answered) = (response.status(), response.headers().clone());
            let target =
                answered.get(header::LOCATION).and_then(|target| url.join(target.to_str().ok()?).ok());
            match target.filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)) {
                Some(target) => {
                    if target.host_str() != url.host_str() || target.scheme() != url.scheme() {
                        // Credentials are for the host that they were given for.
                        headers.retain_public();
                    }
                    if !matches!(status.as_u16(), 307 | 308) && method != Method::GET {
                        method = Method::GET;
                        body = Bytes::new();
                    }
                    url = target;
                }
                None => {
                    let body = net::Body::new(response, LONGEST_REPLY).bytes().await;
                    let body = body.map_err(|error| Failure::last(error.to_string()))?;
                    return Ok((Reply { status, body, context: call.context }, answered));
                }
            }
        }
        Err(Failure::last(format!(
            "{} {}: stopped after {most_redirects} redirects",
            call.method,
            net::display_url(&call.url)
        )))
    }
}

trait RetainPublic {
    /// Drops the headers that hold credentials.
    fn retain_public(&mut self);
}

impl RetainPublic for HeaderMap {
    fn retain_public(&mut self) {
        let secret: Vec<_> =
            self.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.clone()).collect();
        for name in secret {
            self.remove(name);
        }
    }
}

/// An attempt without a reply.
struct Failure {
    text: String,
    is_final: bool,
}

impl Failure {
    fn last(text: String) -> Self {
        Self { text, is_final: true }
    }

    fn of(method: &Method, url: &Url, error: reqwest::Error) -> Self {
        let builder = error.is_builder();
        let text = net::Error::request(method.as_str(), url, error).to_string();
        // A certificate that is not trusted now will not be trusted in two seconds.
        let is_final = builder || text.contains("certificate") || text.contains("is not allowed");
        Self { text, is_final }
    }
}

fn check(guard: net::AddressGuard, url: &Url) -> Result<(), Failure> {
    let address = match url.host() {
        Some(url::Host::Ipv4(v4)) => v4.into(),
        Some(url::Host::Ipv6(v6)) => v6.into(),
        _ => return Ok(()),
    };
    match guard.refuses(address) {
        Some(reason) => {
            let error = net::Error::Address { host: address.to_string(), reason: reason.to_owned() };
            Err(Failure::last(error.to_string()))
        }
        None => Ok(()),
    }
}

fn is_temporary(status: StatusCode, again: Again) -> bool {
    again != Again::Never
        && (status == StatusCode::TOO_MANY_REQUESTS
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED))
}

fn wait(again: Again, number: u32) -> Option<Duration> {
    match again {
        Again::Usual => (number < 4).then(|| Duration::from_secs(2u64 << number.min(4))),
        Again::Quick => (number < 5).then(|| Duration::from_millis((100u64 << number.min(4)).min(400))),
        Again::Never => None,
    }
}

/// The wait that the server asks for.
fn asked_wait(reply: &Reply, headers: &HeaderMap) -> Option<Duration> {
    if !matches!(reply.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    match text.trim().parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(std::time::SystemTime::now()).ok(),
    }
}
