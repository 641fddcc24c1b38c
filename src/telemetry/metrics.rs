//! Every metric, made once and shared by `Arc`. `docs/metrics.md` lists them.

use std::marker::PhantomData;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::label::{
    Backend, CodeClass, KeyState, Label, LookOutcome, Role, Route, StoreOperation, StoreOutcome,
    Trigger, UpstreamOutcome,
};
use super::process::ProcessCollector;
use super::refusals::Refusals;

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    /// Answered requests.
    pub http_requests: Family<IntCounterVec, (Route, CodeClass)>,
    /// From a request's head to its answer's head, seconds.
    pub http_request_duration: Family<HistogramVec, Route>,
    /// Requests under way.
    pub http_requests_in_flight: IntGauge,
    /// Body bytes sent to clients.
    pub http_response_bytes: Family<IntCounterVec, Route>,
    /// Requests to the upstream.
    pub upstream_requests: Family<IntCounterVec, UpstreamOutcome>,
    /// 1 while the upstream answers.
    pub upstream_up: IntGauge,
    /// When the upstream last answered well, Unix seconds.
    pub upstream_last_success: Gauge,
    /// Published projects.
    pub projects: IntGauge,
    /// Published targets.
    pub targets: IntGauge,
    /// Publications made visible.
    pub publications: IntCounter,
    /// Publications that failed.
    pub publication_failures: IntCounter,
    /// Commits that another writer was first to make.
    pub conflicts: IntCounter,
    /// Superseded objects deleted.
    pub collected: IntCounter,
    /// Passes of garbage collection that failed.
    pub collection_failures: IntCounter,
    /// This machine's time less that of an object store, seconds.
    pub clock_skew: Gauge,
    /// 1 while the clock seems wrong.
    pub clock_wrong: IntGauge,
    /// From the start of a publication to its visibility, seconds.
    pub publication_duration: Histogram,
    /// From when a change was first seen to its visibility, seconds.
    pub discovery_to_publication: Histogram,
    /// Signatures made.
    pub signatures: Family<IntCounterVec, Backend>,
    /// Signatures that failed.
    pub signing_failures: Family<IntCounterVec, Backend>,
    /// How long a signature took, seconds.
    pub signing_duration: Family<HistogramVec, Backend>,
    /// The online keys.
    pub signing_keys: Family<IntGaugeVec, KeyState>,
    /// 1 while publications wait for a key that is away.
    pub signing_waits: IntGauge,
    /// What was refused: counted, logged, remembered for the status page.
    pub refusals: Refusals,
    /// The published version of each role.
    pub role_version: Family<IntGaugeVec, Role>,
    /// When each role expires, Unix seconds.
    pub role_expiry: Family<IntGaugeVec, Role>,
    /// 1 where a role expires soon.
    pub role_expires_soon: Family<IntGaugeVec, Role>,
    /// Projects that seem to be gone and are not withdrawn yet.
    pub withdrawals_pending: IntGauge,
    /// Bytes of verified files on disk.
    pub spool_bytes: IntGauge,
    /// Looks at projects.
    pub looks: Family<IntCounterVec, (Trigger, LookOutcome)>,
    /// What was asked of the store.
    pub store_operations: Family<IntCounterVec, (StoreOperation, StoreOutcome)>,
    /// How long the store took, seconds.
    pub store_duration: Family<HistogramVec, StoreOperation>,
    /// 1 after an operation of the store that did not fail.
    pub store_up: IntGauge,
}

const FAST: [f64; 14] =
    [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const SLOW: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0];

impl Metrics {
    /// Makes and registers every metric, each label value at 0.
    ///
    /// # Errors
    /// Where two metrics share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let new = Maker { registry: &registry };
        new.build_info()?;
        registry.register(Box::new(ProcessCollector::new()?))?;
        Ok(Self {
            http_requests: new.counters("http_requests_total", "Answered requests.")?,
            http_request_duration: new.histograms(
                "http_request_duration_seconds",
                "From a request's head to its answer's head.",
                &FAST,
            )?,
            http_requests_in_flight: new.gauge("http_requests_in_flight", "Requests under way.")?,
            http_response_bytes: new
                .counters("http_response_bytes_total", "Body bytes sent to clients.")?,
            upstream_requests: new
                .counters("upstream_requests_total", "Requests to the upstream.")?,
            upstream_up: new.gauge("upstream_up", "1 while the upstream answers, else 0.")?,
            upstream_last_success: new.float(
                "upstream_last_success_timestamp_seconds",
                "When the upstream last answered well, Unix time.",
            )?,
            projects: new.gauge("projects", "Published projects.")?,
            targets: new.gauge("targets", "Published targets.")?,
            publications: new.counter("publications_total", "Publications made visible.")?,
            publication_failures: new
                .counter("publication_failures_total", "Publications that failed.")?,
            conflicts: new.counter(
                "store_conflicts_total",
                "Publications that another replica was first to make.",
            )?,
            collected: new
                .counter("collected_objects_total", "Superseded objects that were deleted.")?,
            collection_failures: new.counter(
                "collection_failures_total",
                "Passes of garbage collection that failed.",
            )?,
            clock_skew: new
                .float("clock_skew_seconds", "This machine's time less that of an object store.")?,
            clock_wrong: new.gauge(
                "clock_wrong",
                "1 while the clock seems wrong and nothing is signed, else 0.",
            )?,
            publication_duration: new.histogram(
                "publication_duration_seconds",
                "From the start of a publication to its visibility.",
                &SLOW,
            )?,
            discovery_to_publication: new.histogram(
                "discovery_to_publication_seconds",
                "From when a change was first seen to its visibility.",
                &SLOW,
            )?,
            signatures: new.counters("signatures_total", "Signatures made.")?,
            signing_failures: new.counters("signing_failures_total", "Signatures that failed.")?,
            signing_duration: new.histograms(
                "signing_seconds",
                "From asking for a signature to having it.",
                &FAST,
            )?,
            signing_keys: new.gauges("signing_keys", "Online keys by state.")?,
            signing_waits: new.gauge(
                "signing_waits",
                "1 while publications wait for a key that is away, else 0.",
            )?,
            refusals: Refusals::new(
                new.counters("refusals_total", "What was not signed or not served.")?,
            ),
            role_version: new.gauges("role_version", "Published version of a role.")?,
            role_expiry: new
                .gauges("role_expiry_timestamp_seconds", "When a role expires, Unix time.")?,
            role_expires_soon: new
                .gauges("role_expires_soon", "1 where a role expires soon, else 0.")?,
            withdrawals_pending: new.gauge(
                "withdrawals_pending",
                "Projects that seem to be gone and are not withdrawn yet.",
            )?,
            spool_bytes: new.gauge("spool_bytes", "Verified files on disk.")?,
            looks: new.counters("looks_total", "Looks at projects.")?,
            store_operations: new
                .counters("store_operations_total", "What was asked of the store.")?,
            store_duration: new.histograms(
                "store_operation_duration_seconds",
                "From asking the store to its answer.",
                &FAST,
            )?,
            store_up: new
                .gauge("store_up", "1 if the last operation of the store did not fail, else 0.")?,
            registry,
        })
    }

    /// All metrics with their values.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    ///
    /// # Errors
    /// Where a collector gives what the format cannot hold.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.gather())
    }
}

/// One metric for each value of a label, or each pair of values of two.
pub struct Family<V, L> {
    members: V,
    labels: PhantomData<fn(L)>,
}

impl<B: MetricVecBuilder, L: Labels> Family<MetricVec<B>, L> {
    /// The metric with these label values.
    pub fn of(&self, labels: L) -> B::M {
        labels.with(|values| self.members.with_label_values(values))
    }

    fn filled(members: MetricVec<B>) -> Self {
        let family = Self { members, labels: PhantomData };
        L::each(|labels| drop(family.of(labels)));
        family
    }
}

/// The labels of one family.
pub trait Labels: Copy {
    /// Their names, in order.
    const NAMES: &'static [&'static str];
    /// Calls with the values, in order.
    fn with<R>(self, call: impl FnOnce(&[&str]) -> R) -> R;
    /// Calls for every combination of values.
    fn each(call: impl FnMut(Self));
}

impl<A: Label> Labels for A {
    const NAMES: &'static [&'static str] = &[A::NAME];
    fn with<R>(self, call: impl FnOnce(&[&str]) -> R) -> R {
        call(&[self.text()])
    }
    fn each(call: impl FnMut(Self)) {
        A::ALL.iter().copied().for_each(call);
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    const NAMES: &'static [&'static str] = &[A::NAME, B::NAME];
    fn with<R>(self, call: impl FnOnce(&[&str]) -> R) -> R {
        call(&[self.0.text(), self.1.text()])
    }
    fn each(mut call: impl FnMut(Self)) {
        for &a in A::ALL {
            B::ALL.iter().for_each(|&b| call((a, b)));
        }
    }
}

/// Makes metrics with the common prefix and registers them.
struct Maker<'a> {
    registry: &'a Registry,
}

type Made<T> = Result<T, prometheus::Error>;

impl Maker<'_> {
    fn add<C: Collector + Clone + 'static>(&self, metric: C) -> Made<C> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Made<IntCounter> {
        self.add(IntCounter::with_opts(opts(name, help))?)
    }

    fn gauge(&self, name: &str, help: &str) -> Made<IntGauge> {
        self.add(IntGauge::with_opts(opts(name, help))?)
    }

    fn float(&self, name: &str, help: &str) -> Made<Gauge> {
        self.add(Gauge::with_opts(opts(name, help))?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Made<Histogram> {
        self.add(Histogram::with_opts(histogram_opts(name, help, buckets))?)
    }

    fn counters<L: Labels>(&self, name: &str, help: &str) -> Made<Family<IntCounterVec, L>> {
        let members = self.add(IntCounterVec::new(opts(name, help), L::NAMES)?)?;
        Ok(Family::filled(members))
    }

    fn gauges<L: Labels>(&self, name: &str, help: &str) -> Made<Family<IntGaugeVec, L>> {
        let members = self.add(IntGaugeVec::new(opts(name, help), L::NAMES)?)?;
        Ok(Family::filled(members))
    }

    fn histograms<L: Labels>(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Made<Family<HistogramVec, L>> {
        let members = HistogramVec::new(histogram_opts(name, help, buckets), L::NAMES)?;
        Ok(Family::filled(self.add(members)?))
    }

    fn build_info(&self) -> Made<()> {
        let opts = opts("build_info", "Always 1; the labels name what runs.");
        let info = self.add(GaugeVec::new(opts, &["version"])?)?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        Ok(())
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("countersign")
}

fn histogram_opts(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(name, help).namespace("countersign").buckets(buckets.to_vec())
}
