//! Which addresses a URL given by a user may lead to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::Error;

/// Which addresses a client may connect to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum AddressGuard {
    /// Every address.
    #[default]
    Off,
    /// No loopback, link-local (the metadata service of clouds), unspecified or multicast address.
    NoLocal,
}

impl AddressGuard {
    /// Why `address` is refused, if it is.
    pub fn refuses(self, address: IpAddr) -> Option<&'static str> {
        if self == Self::Off {
            return None;
        }
        let address = address.to_canonical();
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if address.is_loopback() {
            Some("it is a loopback address")
        } else if link_local {
            Some("it is a link-local address")
        } else if address.is_unspecified() {
            Some("it is the unspecified address")
        } else if address.is_multicast() {
            Some("it is a multicast address")
        } else {
            None
        }
    }

    /// Checks a URL whose host is written as an address; host names are checked when they are resolved.
    pub(crate) fn check(self, url: &url::Url) -> Result<(), Error> {
        let address = match url.host() {
            Some(url::Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(url::Host::Ipv6(v6)) => IpAddr::V6(v6),
            _ => return Ok(()),
        };
        match self.refuses(address) {
            Some(reason) => Err(Error::Address { host: address.to_string(), reason: reason.to_owned() }),
            None => Ok(()),
        }
    }
}

/// Resolves names with the system's resolver and drops what the guard refuses.
pub(crate) struct GuardedResolver(pub(crate) AddressGuard);

impl GuardedResolver {
    pub(crate) fn shared(guard: AddressGuard) -> Arc<Self> {
        Arc::new(Self(guard))
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let refused = found.iter().find_map(|address| guard.refuses(address.ip()));
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| guard.refuses(address.ip()).is_none()).collect();
            if allowed.is_empty() {
                let reason = refused.unwrap_or("it has no address").to_owned();
                return Err(Box::from(Error::Address { host, reason }));
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
