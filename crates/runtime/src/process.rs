//! The life of a controller process: flags, log, servers, cluster, leadership, work, shutdown.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio_util::sync::CancellationToken;

use crate::client::Clients;
use crate::controller::{Settings, jittered};
use crate::events::Recorder;
use crate::gates::Gates;
use crate::lease::{self, Terms};
use crate::metrics::Metrics;
use crate::options::{Binary, IntervalOptions, Options};
use crate::queue::Backoff;
use crate::watch::Scope;
use crate::{Error, log, options, serve};

/// A controller's command line.
pub trait CommandLine: Parser + Send + 'static {
    /// The shared flags.
    fn options(&self) -> &Options;

    /// The flags of interval and sharding, where the controller has them.
    fn intervals(&self) -> Option<&IntervalOptions>;

    /// Checks what the types cannot, before anything starts.
    ///
    /// # Errors
    /// Flags that contradict each other or the gates.
    fn validate(&self, _gates: &Gates) -> Result<(), Error> {
        Ok(())
    }

    /// How long runs in progress may take after the signal to stop.
    fn grace(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// The URL that this controller's own events are posted to; empty posts none.
    fn event_recipient(&self) -> &str {
        &self.options().events_addr
    }

    /// Whether the work begins before this process leads. It then waits for [`Process::leading`] before anything that
    /// only one replica may do.
    fn begins_before_leading(&self) -> bool {
        false
    }
}

/// What a running controller works with.
#[derive(Clone)]
pub struct Process {
    /// Which controller this is.
    pub binary: &'static Binary,
    /// Clients of the API server.
    pub clients: Clients,
    /// The metrics.
    pub metrics: Metrics,
    /// Where events go.
    pub events: Recorder,
    /// The feature gates.
    pub gates: Gates,
    /// Cancelled when no new work may begin.
    pub stop: CancellationToken,
    /// Cancelled as soon as this process leads.
    pub leading: CancellationToken,
    options: Options,
    intervals: Option<IntervalOptions>,
}

impl Process {
    /// The settings of the controller of a kind; `name` is the kind in lower case.
    #[must_use]
    pub fn settings(&self, name: &str) -> Settings {
        Settings {
            name: name.to_owned(),
            concurrent: self.options.concurrent,
            backoff: Backoff { min: self.options.min_retry_delay, max: self.options.max_retry_delay },
            jitter: self.intervals.as_ref().map_or(0, |intervals| intervals.interval_jitter_percentage),
            scope: Scope {
                namespace: self.namespace(),
                labels: self
                    .intervals
                    .as_ref()
                    .map_or_else(String::new, |intervals| intervals.watch_label_selector.clone()),
            },
        }
    }

    /// The only namespace to look at, unless all are.
    #[must_use]
    pub fn namespace(&self) -> Option<String> {
        (!self.options.watch_all_namespaces).then(runtime_namespace)
    }

    /// An interval, varied by the jitter.
    #[must_use]
    pub fn jittered(&self, interval: Duration) -> Duration {
        let percentage = self.intervals.as_ref().map_or(0, |intervals| intervals.interval_jitter_percentage);
        jittered(interval, percentage, rand::random())
    }
}

/// The namespace the process runs in: environment variable `RUNTIME_NAMESPACE`, else that of the ServiceAccount, else
/// `flux-system`.
#[must_use]
pub fn runtime_namespace() -> String {
    std::env::var("RUNTIME_NAMESPACE")
        .ok()
        .filter(|namespace| !namespace.is_empty())
        .or_else(|| std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace").ok())
        .map_or_else(|| "flux-system".to_owned(), |namespace| namespace.trim().to_owned())
}

/// Runs a controller from its command line to its exit code. `work` begins when this process leads, and ends by itself
/// after `Process::stop` is cancelled.
///
/// Exit codes: 0 after a requested stop, 1 after a failure, 2 when the command line is wrong.
pub fn main<T, W, F, E>(binary: &'static Binary, work: W) -> ExitCode
where
    T: CommandLine + Send + 'static,
    W: FnOnce(T, Process) -> F + Send + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: From<Error> + std::fmt::Display + Send + 'static,
{
    let flags: T = options::parse(binary);
    log::init(flags.options().log_level, flags.options().log_encoding);
    let outcome = runtime().map_err(E::from).and_then(|runtime| {
        // A task, so that it shares the threads of those that it wakes and that wake it.
        let life = runtime.spawn(live(binary, flags, work));
        let outcome =
            runtime.block_on(life).unwrap_or_else(|end| std::panic::resume_unwind(end.into_panic()));
        // Work that was given up does not hold up the exit.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error, "{} ends", binary.name);
            ExitCode::FAILURE
        }
    }
}

/// Runs the work of a command that ends by itself.
///
/// # Errors
/// That of the work, or the async runtime cannot start.
pub fn command<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| Error::Runtime(error).to_string())?.block_on(work)
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    tokio::runtime::Builder::new_multi_thread()
        // More threads would spend more on handing work around than they gain: the work waits on the network.
        .worker_threads(cores.clamp(1, 4))
        .max_blocking_threads(32)
        .thread_keep_alive(Duration::from_secs(5))
        .enable_all()
        .build()
        .map_err(Error::Runtime)
}

async fn live<T, W, F, E>(binary: &'static Binary, flags: T, work: W) -> Result<(), E>
where
    T: CommandLine,
    W: FnOnce(T, Process) -> F,
    F: Future<Output = Result<(), E>>,
    E: From<Error> + std::fmt::Display,
{
    let stop = CancellationToken::new();
    // Cancelled when the process has nothing left to do: servers, events and the lease outlive the work.
    let end = CancellationToken::new();
    tokio::spawn(on_signal(stop.clone()));
    let options = flags.options().clone();
    if let Some(intervals) = flags.intervals() {
        intervals.validate()?;
    }
    let gates = Gates::new(binary.gates, &options.feature_gates)?;
    flags.validate(&gates)?;
    let metrics = Metrics::default();
    if !serve::is_off(&options.metrics_addr) {
        let listener = serve::listen(&options.metrics_addr).await?;
        tokio::spawn(serve::serve(listener, serve::metrics(metrics.registry.clone()), end.clone()));
    }
    if !serve::is_off(&options.health_addr) {
        let listener = serve::listen(&options.health_addr).await?;
        tokio::spawn(serve::serve(listener, serve::probes(), end.clone()));
    }
    let clients = Clients::connect(binary.name, &options, &metrics).await?;
    let events = Recorder::start(clients.own().clone(), binary.name, flags.event_recipient(), &metrics, &end);
    let recorder = events.clone();
    let process = Process {
        binary,
        clients: clients.clone(),
        metrics: metrics.clone(),
        events,
        gates,
        stop: stop.clone(),
        leading: CancellationToken::new(),
        options: options.clone(),
        intervals: flags.intervals().cloned(),
    };
    let selector = flags.intervals().map_or("", |intervals| intervals.watch_label_selector.as_str());
    let terms = Terms::of(binary.name, &runtime_namespace(), selector, &options);
    let grace = flags.grace();
    let leading = options.enable_leader_election;
    metrics.leader.set(&[terms.lease.name()], 0.0);
    let early = flags.begins_before_leading();
    if leading && !early && !lease::acquire(clients.own(), &terms, &stop).await {
        return Ok(());
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting {}", binary.name);

    let holding = {
        let (client, terms, end) = (clients.own().clone(), terms.clone(), end.clone());
        let (stop, leads, gauge) = (stop.clone(), process.leading.clone(), metrics.leader.clone());
        tokio::spawn(async move {
            if leading && early && !lease::acquire(&client, &terms, &stop).await {
                end.cancelled().await;
                return Ok(());
            }
            gauge.set(&[terms.lease.name()], 1.0);
            leads.cancel();
            if leading {
                lease::hold(&client, &terms, &end).await
            } else {
                end.cancelled().await;
                Ok(())
            }
        })
    };
    let working = work(flags, process);
    let finished = async {
        tokio::pin!(working);
        tokio::select! {
            outcome = &mut working => return outcome,
            () = stop.cancelled() => {}
        }
        tracing::info!("stopping: runs in progress may finish");
        match tokio::time::timeout(grace, &mut working).await {
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::error!("runs in progress did not finish in time and are given up");
                Ok(())
            }
        }
    };
    tokio::pin!(finished, holding);
    let outcome = tokio::select! {
        outcome = &mut finished => outcome,
        lost = &mut holding => {
            // Two leaders must not work at once: nothing more is awaited.
            return match lost {
                Ok(Err(error)) => Err(error.into()),
                _ => Err(Error::LeaseLost.into()),
            };
        }
    };
    stop.cancel();
    end.cancel();
    // Gives the lease back, and the event tasks a moment for what waits.
    let _ = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(holding, recorder.drained()) })
        .await;
    tracing::info!("stopped");
    outcome
}

/// The first signal asks for a stop, the second ends the process at once.
async fn on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be handled");
        return;
    };
    for first in [true, false] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if first {
            stop.cancel();
        }
    }
    std::process::exit(1);
}
