//! Texts of events in the markup of chats and hosts. Events tell of objects of the cluster, so anybody who may write one
//! could call a whole channel, dress a link up as another, or write HTML. What a reader would take for plain text stays as it
//! is, byte for byte; what the other side would act upon is defused in the way that it documents, else with an invisible
//! character. Values of metadata keep their links, which Alerts and annotations add on purpose; they mention nobody.

/// Separates what must not be read as one; shown as nothing.
const GAP: char = '\u{200b}';

/// Slack: the three characters that it asks for as entities; with them go mentions and links.
pub fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A value of metadata on Slack: a link stays one.
pub fn slack_value(text: &str) -> String {
    after(text, '<', |next| matches!(next, '!' | '@' | '#'), "&lt;")
}

/// Discord behind its address for Slack's payloads: Slack's own links and mentions, and Discord's.
pub fn discord(text: &str) -> String {
    links(&discord_value(&bracketed_links(text)), "]\\(")
}

/// A value of metadata on Discord.
pub fn discord_value(text: &str) -> String {
    mentions(&after(text, '<', |next| matches!(next, '!' | '@' | '#'), &format!("<{GAP}")))
}

/// Rocket.Chat.
pub fn rocket(text: &str) -> String {
    links(&mentions(&bracketed_links(text)), &format!("]{GAP}("))
}

/// What becomes HTML: cards of Google Chat, message cards of Teams.
pub fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Markdown without HTML: adaptive cards, incident.io. HTML of a message card is dealt with by [`html`].
pub fn markdown(text: &str) -> String {
    links(text, "]\\(")
}

/// Webex: Markdown with HTML, and mentions that look like tags.
pub fn webex(text: &str) -> String {
    markdown(&tags(text))
}

/// A value of metadata on Webex.
pub fn webex_value(text: &str) -> String {
    after(text, '<', |next| next == '@', "&lt;")
}

/// Lark: tags, mentions among them, and links.
pub fn lark(text: &str) -> String {
    links(&tags(text), "]&#40;")
}

/// A value of metadata on Lark: without mentions.
pub fn lark_value(text: &str) -> String {
    text.replace("<at", "&lt;at")
}

/// Zoom: mentions and links in angle brackets.
pub fn zoom(text: &str) -> String {
    after(&bracketed_links(text), '<', |next| matches!(next, '!' | '@' | '#'), &format!("<{GAP}"))
}

/// Zulip, which shows HTML as it is.
pub fn zulip(text: &str) -> String {
    markdown(&mentions(text))
}

/// Comments on GitHub, GitLab and Gitea: mentions, HTML, links, references to other issues, and lines that are commands.
pub fn comment(text: &str) -> String {
    let text = after(&tags(&mentions(text)), '#', |next| next.is_ascii_digit(), &format!("#{GAP}"));
    commands(&markdown(&text))
}

/// A value of metadata in such a comment: its links and its HTML stay, save comments, which tell one of ours from another.
pub fn comment_value(text: &str) -> String {
    commands(&after(&mentions(text), '<', |next| next == '!', "&lt;"))
}

/// Datadog: whom to notify, and what makes a text Markdown.
pub fn datadog(text: &str) -> String {
    mentions(text).replace("%%%", &format!("%%{GAP}%"))
}

/// What chats make a mention of: an `@` before a name, unless it is part of a word, such as `main@sha1:…` or an address.
pub fn mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        out.push(character);
        let is_name = |next: &char| next.is_alphanumeric() || matches!(next, '*' | '_' | '-');
        if character == '@' && !before.is_alphanumeric() && characters.peek().is_some_and(is_name) {
            out.push(GAP);
        }
        before = character;
    }
    out
}

/// Puts `instead` in the place of `what` where the next character is one of those.
fn after(text: &str, what: char, next: impl Fn(char) -> bool, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == what && characters.peek().is_some_and(|following| next(*following)) {
            out.push_str(instead);
        } else {
            out.push(character);
        }
    }
    out
}

/// What begins a tag, a comment or a link in angle brackets.
fn tags(text: &str) -> String {
    after(text, '<', |next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?' | '@'), "&lt;")
}

/// `<https://where|what>`.
fn bracketed_links(text: &str) -> String {
    after(text, '<', |next| matches!(next, 'h' | 'H' | 'm' | 'M'), &format!("<{GAP}"))
}

/// `[what](where)`, and `[what]: where` at the beginning of a line.
fn links(text: &str, apart: &str) -> String {
    let text = text.replace("](", apart);
    if !text.contains("]:") {
        return text;
    }
    let line = |line: &str| {
        let rest = line.trim_start();
        if rest.starts_with('[') && rest.contains("]:") {
            format!("{}\\{rest}", line.get(..line.len() - rest.len()).unwrap_or_default())
        } else {
            line.to_owned()
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Lines that GitLab, and robots on other hosts, would carry out: `/merge`.
fn commands(text: &str) -> String {
    let line = |line: &str| {
        let rest = line.trim_start();
        match rest.strip_prefix('/') {
            Some(command) if command.starts_with(|next: char| next.is_ascii_alphabetic()) => {
                format!("{}\\{rest}", line.get(..line.len() - rest.len()).unwrap_or_default())
            }
            _ => line.to_owned(),
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Write = fn(&str) -> String;

    const ALL: [(&str, Write); 18] = [
        ("slack", slack),
        ("slack_value", slack_value),
        ("discord", discord),
        ("discord_value", discord_value),
        ("rocket", rocket),
        ("html", html),
        ("markdown", markdown),
        ("webex", webex),
        ("webex_value", webex_value),
        ("lark", lark),
        ("lark_value", lark_value),
        ("zoom", zoom),
        ("zulip", zulip),
        ("comment", comment),
        ("comment_value", comment_value),
        ("datadog", datadog),
        ("mentions", mentions),
        ("tags", tags),
    ];

    #[test]
    fn ordinary_messages_stay_as_they_are() {
        for text in [
            "Applied revision: main@sha1:69b59063470310ebbd88a9156325322a124e55a3",
            "Health check failed after 30s: timeout waiting for: [Deployment/apps/shop status: 'InProgress']",
            "stored artifact for commit 'Merge pull request from user@example.com'",
            "Kustomization/a/b dry-run failed: spec.containers[0]: Invalid value: \"x\"\n- map[a:b] a/b #x 100% *now*\n",
            "https://example.com/path?query=1 `code` _x_ (y) [z] /usr/bin",
        ] {
            for (name, write) in ALL {
                assert_eq!(write(text), text, "{name}");
            }
        }
    }

    #[test]
    fn each_chat_has_its_own_way_out() {
        let table: [(&str, Write, &str, &str); 31] = [
            (
                "slack",
                slack,
                "<!channel> & <@U1> <https://x|y>",
                "&lt;!channel&gt; &amp; &lt;@U1&gt; &lt;https://x|y&gt;",
            ),
            ("slack_value", slack_value, "<!here> <https://x|y> a&b", "&lt;!here> <https://x|y> a&b"),
            (
                "discord",
                discord,
                "@everyone <@1> [x](https://y)",
                "@\u{200b}everyone <\u{200b}@\u{200b}1> [x]\\(https://y)",
            ),
            ("discord", discord, "<!channel> <https://x|y>", "<\u{200b}!channel> <\u{200b}https://x|y>"),
            ("discord_value", discord_value, "@here [x](https://y)", "@\u{200b}here [x](https://y)"),
            ("rocket", rocket, "@all [x](https://y)", "@\u{200b}all [x]\u{200b}(https://y)"),
            ("rocket", rocket, "<https://x|y>", "<\u{200b}https://x|y>"),
            ("html", html, "<a href='x'>y</a> & z > 1", "&lt;a href='x'>y&lt;/a> &amp; z > 1"),
            ("markdown", markdown, "[x](https://y) ![i](https://z)", "[x]\\(https://y) ![i]\\(https://z)"),
            ("markdown", markdown, "see [x]\n [x]: https://y", "see [x]\n \\[x]: https://y"),
            ("webex", webex, "<@all> <b>x</b> 1 < 2", "&lt;@all> &lt;b>x&lt;/b> 1 < 2"),
            ("webex_value", webex_value, "<@personEmail:a@b> <b>x</b>", "&lt;@personEmail:a@b> <b>x</b>"),
            ("lark", lark, "<at id=all></at> [x](https://y)", "&lt;at id=all>&lt;/at> [x]&#40;https://y)"),
            (
                "lark_value",
                lark_value,
                "<at id=all></at> [x](https://y)",
                "&lt;at id=all></at> [x](https://y)",
            ),
            ("zoom", zoom, "<!here|x> <https://x|y>", "<\u{200b}!here|x> <\u{200b}https://x|y>"),
            (
                "zulip",
                zulip,
                "@**all** @_**x** @*group*",
                "@\u{200b}**all** @\u{200b}_**x** @\u{200b}*group*",
            ),
            ("zulip", zulip, "[x](https://y)", "[x]\\(https://y)"),
            ("comment", comment, "@user, @org/team", "@\u{200b}user, @\u{200b}org/team"),
            ("comment", comment, "<img src=x> <!-- y -->", "&lt;img src=x> &lt;!-- y -->"),
            ("comment", comment, "<https://x>", "&lt;https://x>"),
            ("comment", comment, "fixes #12 and org/app#3", "fixes #\u{200b}12 and org/app#\u{200b}3"),
            ("comment", comment, "done\n/merge\n  /close now", "done\n\\/merge\n  \\/close now"),
            ("comment", comment, "[x](https://y)", "[x]\\(https://y)"),
            ("comment_value", comment_value, "<!-- x --> [x](y)\n/merge", "&lt;!-- x --> [x](y)\n\\/merge"),
            ("datadog", datadog, "@slack-ops", "@\u{200b}slack-ops"),
            ("datadog", datadog, "%%%\n[x](y)\n%%%", "%%\u{200b}%\n[x](y)\n%%\u{200b}%"),
            ("mentions", mentions, "@room", "@\u{200b}room"),
            ("mentions", mentions, "(@user:server.org)", "(@\u{200b}user:server.org)"),
            ("mentions", mentions, "a@b @ c @", "a@b @ c @"),
            ("mentions", mentions, "@@x", "@@\u{200b}x"),
            ("mentions", mentions, "", ""),
        ];
        for (name, write, text, expected) in table {
            assert_eq!(write(text), expected, "{name}: {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String) {
            for (_, write) in ALL {
                let _ = write(&text);
            }
        }

        #[test]
        fn no_mention_survives(before in "[ -~]{0,12}", after in "[ -~]{0,12}") {
            let text = format!("{before} @all {after} <!channel> <@U1>");
            proptest::prop_assert!(!slack(&text).contains('<'));
            for write in [discord, rocket, zulip, comment, datadog, mentions] {
                proptest::prop_assert!(!write(&text).contains(" @all"));
            }
        }
    }
}
