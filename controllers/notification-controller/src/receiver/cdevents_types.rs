//! The types of CDEvents 0.4: what each is about, and what its content has to be.

use Field::{Filled, List, Object, OneOf, Package, Reference, Required, Text};

/// A field of an event's content. What is not named may be anything.
#[derive(Debug, Clone, Copy)]
pub enum Field {
    /// Text, possibly missing.
    Text(&'static str),
    /// Text that is not empty.
    Filled(&'static str),
    /// A package URL. The SDK wants it even where the specification does not.
    Package(&'static str),
    /// One of these words, possibly missing.
    OneOf(&'static str, &'static [&'static str]),
    /// A list of texts, possibly missing.
    List(&'static str),
    /// An object with fields of its own, possibly missing.
    Object(&'static str, &'static [Field]),
    /// Where another subject is found: its id and possibly its source; possibly missing.
    Reference(&'static str),
    /// Something that may not be missing, and that another entry describes.
    Required(&'static str),
}

const TRIGGER: Field =
    Object("trigger", &[OneOf("type", &["manual", "pipeline", "event", "schedule", "other"]), Text("uri")]);
const OUTCOME: Field = OneOf("outcome", &["pass", "fail", "cancel", "error"]);
const SEVERITY: Field = OneOf("severity", &["low", "medium", "high", "critical"]);
const KINDS_OF_TESTS: &[&str] =
    &["performance", "functional", "unit", "security", "compliance", "integration", "e2e", "other"];
const TEST_CASE: Field = Object(
    "testCase",
    &[Filled("id"), Text("version"), Text("name"), OneOf("type", KINDS_OF_TESTS), Text("uri")],
);

/// Each type with its version, which has to be exactly that, the subject's type, and the fields of the content.
pub const TYPES: &[(&str, &str, &[Field])] = &[
    ("dev.cdevents.artifact.deleted.0.1.0", "artifact", &[Text("user")]),
    ("dev.cdevents.artifact.downloaded.0.1.0", "artifact", &[Text("user")]),
    (
        "dev.cdevents.artifact.packaged.0.2.0",
        "artifact",
        &[Reference("change"), Required("change"), Object("sbom", &[Filled("uri")])],
    ),
    ("dev.cdevents.artifact.published.0.2.0", "artifact", &[Object("sbom", &[Filled("uri")]), Text("user")]),
    ("dev.cdevents.artifact.signed.0.2.0", "artifact", &[Filled("signature")]),
    ("dev.cdevents.branch.created.0.2.0", "branch", &[Reference("repository")]),
    ("dev.cdevents.branch.deleted.0.2.0", "branch", &[Reference("repository")]),
    ("dev.cdevents.build.finished.0.2.0", "build", &[Package("artifactId")]),
    ("dev.cdevents.build.queued.0.2.0", "build", &[]),
    ("dev.cdevents.build.started.0.2.0", "build", &[]),
    ("dev.cdevents.change.abandoned.0.2.0", "change", &[Reference("repository")]),
    ("dev.cdevents.change.created.0.3.0", "change", &[Text("description"), Reference("repository")]),
    ("dev.cdevents.change.merged.0.2.0", "change", &[Reference("repository")]),
    ("dev.cdevents.change.reviewed.0.2.0", "change", &[Reference("repository")]),
    ("dev.cdevents.change.updated.0.2.0", "change", &[Reference("repository")]),
    ("dev.cdevents.environment.created.0.2.0", "environment", &[Text("name"), Text("url")]),
    ("dev.cdevents.environment.deleted.0.2.0", "environment", &[Text("name")]),
    ("dev.cdevents.environment.modified.0.2.0", "environment", &[Text("name"), Text("url")]),
    (
        "dev.cdevents.incident.detected.0.2.0",
        "incident",
        &[
            Text("description"),
            Reference("environment"),
            Required("environment"),
            Reference("service"),
            Package("artifactId"),
        ],
    ),
    (
        "dev.cdevents.incident.reported.0.2.0",
        "incident",
        &[
            Text("description"),
            Reference("environment"),
            Required("environment"),
            Filled("ticketURI"),
            Reference("service"),
            Package("artifactId"),
        ],
    ),
    (
        "dev.cdevents.incident.resolved.0.2.0",
        "incident",
        &[
            Text("description"),
            Reference("environment"),
            Required("environment"),
            Reference("service"),
            Package("artifactId"),
        ],
    ),
    (
        "dev.cdevents.pipelinerun.finished.0.2.0",
        "pipelineRun",
        &[Text("pipelineName"), Text("url"), Text("outcome"), Text("errors")],
    ),
    ("dev.cdevents.pipelinerun.queued.0.2.0", "pipelineRun", &[Text("pipelineName"), Text("url")]),
    ("dev.cdevents.pipelinerun.started.0.2.0", "pipelineRun", &[Text("pipelineName"), Text("url")]),
    (
        "dev.cdevents.repository.created.0.2.0",
        "repository",
        &[Filled("name"), Text("owner"), Filled("url"), Text("viewUrl")],
    ),
    (
        "dev.cdevents.repository.deleted.0.2.0",
        "repository",
        &[Text("name"), Text("owner"), Text("url"), Text("viewUrl")],
    ),
    (
        "dev.cdevents.repository.modified.0.2.0",
        "repository",
        &[Text("name"), Text("owner"), Text("url"), Text("viewUrl")],
    ),
    (
        "dev.cdevents.service.deployed.0.2.0",
        "service",
        &[Reference("environment"), Required("environment"), Package("artifactId")],
    ),
    ("dev.cdevents.service.published.0.2.0", "service", &[Reference("environment")]),
    ("dev.cdevents.service.removed.0.2.0", "service", &[Reference("environment")]),
    (
        "dev.cdevents.service.rolledback.0.2.0",
        "service",
        &[Reference("environment"), Required("environment"), Package("artifactId")],
    ),
    (
        "dev.cdevents.service.upgraded.0.2.0",
        "service",
        &[Reference("environment"), Required("environment"), Package("artifactId")],
    ),
    (
        "dev.cdevents.taskrun.finished.0.2.0",
        "taskRun",
        &[Text("taskName"), Text("url"), Reference("pipelineRun"), Text("outcome"), Text("errors")],
    ),
    (
        "dev.cdevents.taskrun.started.0.2.0",
        "taskRun",
        &[Text("taskName"), Text("url"), Reference("pipelineRun")],
    ),
    (
        "dev.cdevents.testcaserun.finished.0.2.0",
        "testCaseRun",
        &[
            OUTCOME,
            Required("outcome"),
            SEVERITY,
            Text("reason"),
            Reference("environment"),
            Required("environment"),
            Reference("testSuiteRun"),
            TEST_CASE,
        ],
    ),
    (
        "dev.cdevents.testcaserun.queued.0.2.0",
        "testCaseRun",
        &[TRIGGER, Reference("environment"), Required("environment"), Reference("testSuiteRun"), TEST_CASE],
    ),
    (
        "dev.cdevents.testcaserun.skipped.0.1.0",
        "testCaseRun",
        &[Text("reason"), Reference("environment"), Reference("testSuiteRun"), TEST_CASE],
    ),
    (
        "dev.cdevents.testcaserun.started.0.2.0",
        "testCaseRun",
        &[TRIGGER, Reference("environment"), Required("environment"), Reference("testSuiteRun"), TEST_CASE],
    ),
    (
        "dev.cdevents.testoutput.published.0.2.0",
        "testOutput",
        &[
            OneOf("outputType", &["report", "video", "image", "log", "other"]),
            Required("outputType"),
            Text("format"),
            Text("uri"),
            Reference("testCaseRun"),
        ],
    ),
    (
        "dev.cdevents.testsuiterun.finished.0.2.0",
        "testSuiteRun",
        &[
            Reference("environment"),
            Required("environment"),
            Object("testSuite", &[Filled("id"), Text("version"), Text("name"), Text("uri")]),
            OUTCOME,
            Required("outcome"),
            SEVERITY,
            Text("reason"),
        ],
    ),
    (
        "dev.cdevents.testsuiterun.queued.0.2.0",
        "testSuiteRun",
        &[
            TRIGGER,
            Reference("environment"),
            Required("environment"),
            Object("testSuite", &[Filled("id"), Text("version"), Text("name"), Text("url")]),
        ],
    ),
    (
        "dev.cdevents.testsuiterun.started.0.2.0",
        "testSuiteRun",
        &[
            TRIGGER,
            Reference("environment"),
            Required("environment"),
            Object("testSuite", &[Filled("id"), Text("version"), Text("name"), Text("uri")]),
        ],
    ),
    (
        "dev.cdevents.ticket.closed.0.1.0",
        "ticket",
        &[
            Text("summary"),
            Text("ticketType"),
            Text("group"),
            Text("creator"),
            List("assignees"),
            Text("priority"),
            List("labels"),
            Text("milestone"),
            Filled("uri"),
            Filled("resolution"),
            Text("updatedBy"),
        ],
    ),
    (
        "dev.cdevents.ticket.created.0.1.0",
        "ticket",
        &[
            Text("summary"),
            Text("ticketType"),
            Text("group"),
            Filled("creator"),
            List("assignees"),
            Text("priority"),
            List("labels"),
            Text("milestone"),
            Filled("uri"),
        ],
    ),
    (
        "dev.cdevents.ticket.updated.0.1.0",
        "ticket",
        &[
            Text("summary"),
            Text("ticketType"),
            Text("group"),
            Text("creator"),
            List("assignees"),
            Text("priority"),
            List("labels"),
            Text("milestone"),
            Text("updatedBy"),
            Filled("uri"),
        ],
    ),
];
