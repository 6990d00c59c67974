//! Providers: what each type does with an event.
//!
//! A type turns settings and event into [`Step`]s, which are values; [`Courier`] is what takes them.

mod account;
mod alertmanager;
mod azure;
mod azure_devops;
mod azure_event_hub;
mod bitbucket;
mod comment;
mod commit_status;
mod datadog;
mod delivery;
mod generic;
mod git_address;
mod gitea;
mod github;
mod gitlab;
mod google;
mod google_chat;
mod google_pubsub;
mod grafana;
mod incident_io;
mod lark;
mod markup;
mod matrix;
mod msteams;
mod nats;
mod opsgenie;
mod otel;
mod pagerduty;
mod protobuf;
mod sentry;
mod settings;
mod slack;
mod step;
mod telegram;
mod tokens;
mod webex;
mod zoom;
mod zulip;

#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod tests;

use api::notification::ProviderType;
use jiff::Timestamp;

pub use account::Accounts;
pub use delivery::Courier;
pub use settings::{Secrets, Sender, Settings, comments, is_generic, type_name, writes_commit_status};
pub use step::{Call, Error, Reply, Step};
pub use tokens::{TokenMetrics, Tokens};

use crate::event::Event;

/// What a Provider does with an event.
///
/// # Errors
/// [`Error::Setup`] when the Provider cannot work, [`Error::Delivery`] when it cannot with this event.
pub fn plan(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    use ProviderType as P;
    match settings.kind {
        P::Generic => generic::plan(settings, event),
        P::GenericHmac => generic::plan_signed(settings, event),
        P::Slack => slack::slack(settings, event),
        P::Discord => slack::discord(settings, event),
        P::Rocket => slack::rocket(settings, event),
        P::MsTeams => msteams::plan(settings, event),
        P::GoogleChat => google_chat::plan(settings, event),
        P::GooglePubSub => google_pubsub::plan(settings, event, now),
        P::Webex => webex::plan(settings, event),
        P::Sentry => sentry::plan(settings, event),
        P::AzureEventHub => azure_event_hub::plan(settings, event, now),
        P::Telegram => telegram::plan(settings, event),
        P::Lark => lark::plan(settings, event),
        P::Matrix => matrix::plan(settings, event),
        P::Opsgenie => opsgenie::plan(settings, event),
        P::Alertmanager => alertmanager::plan(settings, event),
        P::Grafana => grafana::plan(settings, event),
        P::PagerDuty => pagerduty::plan(settings, event),
        P::Datadog => datadog::plan(settings, event),
        P::Nats => nats::plan(settings, event),
        P::Zulip => zulip::plan(settings, event),
        P::Otel => otel::plan(settings, event, now),
        P::Zoom => zoom::plan(settings, event),
        P::IncidentIo => incident_io::plan(settings, event),
        P::Github => github::plan(settings, event, now),
        P::GithubDispatch => github::dispatch(settings, event, now),
        P::GithubPullRequestComment => github::comment(settings, event, now),
        P::Gitlab => gitlab::plan(settings, event),
        P::GitlabMergeRequestComment => gitlab::comment(settings, event),
        P::Gitea => gitea::plan(settings, event),
        P::GiteaPullRequestComment => gitea::comment(settings, event),
        P::Bitbucket => bitbucket::cloud(settings, event),
        P::BitbucketServer => bitbucket::server(settings, event),
        P::AzureDevOps => azure_devops::plan(settings, event),
    }
}
