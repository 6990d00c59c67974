//! `notification.toolkit.fluxcd.io`: events out, webhooks in.

mod alert;
mod provider;
mod receiver;
mod reference;

pub use alert::{Alert, AlertSpec, EventSeverity};
pub use provider::{Provider, ProviderSpec, ProviderType};
pub use receiver::{
    OidcProvider, OidcValidation, OidcVariable, Receiver, ReceiverResource, ReceiverSpec, ReceiverStatus,
    ReceiverType,
};
pub use reference::{EventSource, ObjectKind};

/// The group.
pub const GROUP: &str = "notification.toolkit.fluxcd.io";
/// The group and version of Receiver.
pub const API_VERSION: &str = "notification.toolkit.fluxcd.io/v1";
/// The group and version of Provider and Alert.
pub const API_VERSION_BETA: &str = "notification.toolkit.fluxcd.io/v1beta3";
