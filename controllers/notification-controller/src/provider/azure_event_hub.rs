//! Azure Event Hubs, through its HTTPS endpoint, which takes what AMQP takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::Timestamp;
use net::Secret;
use url::Url;

use super::azure;
use super::git_address::segment;
use super::settings::Settings;
use super::step::{Call, Error, Step, address, setup};
use crate::event::{Event, encode};

/// What tokens of managed identities are for.
const SCOPE: &str = "https://eventhubs.azure.net//.default";
/// How long a signature is good for, in seconds.
const SIGNATURE_LIFE: i64 = 300;

/// One event in the hub.
pub fn plan(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    if settings.address.is_empty() {
        return setup("the address cannot be empty: the name of the hub, or a SAS connection string");
    }
    let body = encode(&event.json());
    let send = |url: Url| {
        Call::new(Method::POST, url)
            .bytes(body)
            .header("content-type", "application/atom+xml;type=entry;charset=utf-8")
            .context("failed to send msg: ")
    };
    if settings.address.contains("SharedAccessKey") {
        if settings.token.is_some() || settings.service_account.is_some() {
            return setup("a SAS connection string cannot be combined with a token or serviceAccountName");
        }
        let sas = Connection::parse(&settings.address)?;
        let url = address(&format!("https://{}/{}/messages", sas.host, sas.hub))?;
        let signature = sas.signature(now);
        return Ok(send(url).value("authorization", signature.as_bytes())?.last());
    }
    if settings.token.is_some() && settings.service_account.is_some() {
        return setup("a token cannot be combined with serviceAccountName");
    }
    if settings.token.is_some() {
        tracing::error!("a JWT in the Secret of azureeventhub is deprecated, use a managed identity");
    }
    let namespace = if settings.channel.contains(".servicebus.") {
        settings.channel.clone()
    } else {
        format!("{}{}", settings.channel, domain(&std::env::var("AZURE_AUTHORITY_HOST").unwrap_or_default()))
    };
    let url = address(&format!("https://{namespace}/{}/messages", segment(&settings.address)))?;
    let call = send(url);
    azure::login(settings, SCOPE, Box::new(move |token: &Secret| Ok(call.bearer(token)?.last())))
}

fn domain(authority: &str) -> &'static str {
    if authority.contains("chinacloudapi.cn") {
        ".servicebus.chinacloudapi.cn"
    } else if authority.contains("microsoftonline.us") {
        ".servicebus.usgovcloudapi.net"
    } else {
        ".servicebus.windows.net"
    }
}

/// A SAS connection string.
struct Connection {
    host: String,
    hub: String,
    key_name: String,
    key: Secret,
}

impl Connection {
    fn parse(text: &str) -> Result<Self, Error> {
        let part = |name: &str| {
            text.split(';').find_map(|part| {
                let (key, value) = part.trim().split_once('=')?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let missing = |name: &str| Error::Setup(format!("the SAS connection string has no {name}"));
        let endpoint = part("Endpoint").ok_or_else(|| missing("Endpoint"))?;
        let host = Url::parse(&endpoint).ok().and_then(|url| url.host_str().map(str::to_owned));
        Ok(Self {
            host: host.ok_or_else(|| missing("usable Endpoint"))?,
            hub: part("EntityPath").ok_or_else(|| missing("EntityPath"))?,
            key_name: part("SharedAccessKeyName").ok_or_else(|| missing("SharedAccessKeyName"))?,
            key: Secret::new(part("SharedAccessKey").ok_or_else(|| missing("SharedAccessKey"))?),
        })
    }

    fn signature(&self, now: Timestamp) -> String {
        let resource = segment(&format!("https://{}/{}", self.host, self.hub));
        let expiry = now.as_second() + SIGNATURE_LIFE;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.key.expose());
        let signature = ring::hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes());
        format!(
            "SharedAccessSignature sr={resource}&sig={}&se={expiry}&skn={}",
            segment(&STANDARD.encode(signature)),
            self.key_name
        )
    }
}
