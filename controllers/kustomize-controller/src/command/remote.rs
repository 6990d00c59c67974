//! What a build names on the network: files are fetched by HTTP. Repositories are not: this program links no Git.

use std::io::Read as _;
use std::time::Duration;

use kustomize::{Fetched, Remote};

/// How long a file may take.
const TIMEOUT: Duration = Duration::from_secs(27);

/// The largest file, in bytes: that of a build.
const LARGEST: u64 = 64 << 20;

/// Fetches files for a build.
pub struct Fetcher(reqwest::blocking::Client);

impl Fetcher {
    /// A fetcher that obeys the proxy settings of the environment.
    ///
    /// # Errors
    /// If there can be no client, for want of certificates for example.
    pub fn new() -> Result<Self, String> {
        // An error only says that there is a provider, which is what we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).build();
        client.map(Self).map_err(|error| format!("cannot make an HTTP client: {error}"))
    }

    /// What a build asks for.
    ///
    /// # Errors
    /// If it is a repository, or cannot be fetched.
    pub fn fetch(&self, remote: &Remote) -> Result<Fetched, String> {
        match remote {
            Remote::File { url } => self.file(url).map(Fetched::Content),
            Remote::Directory(directory) => Err(format!(
                "Git repositories are not fetched here; clone {} and name the local directory",
                directory.repository
            )),
        }
    }

    fn file(&self, url: &str) -> Result<Vec<u8>, String> {
        // The query of a URL may hold a token, which an error must not tell.
        let shown = url.split('?').next().unwrap_or_default();
        let failed = |error: reqwest::Error| format!("cannot fetch {shown}: {}", error.without_url());
        let response =
            self.0.get(url).send().and_then(|response| response.error_for_status()).map_err(failed)?;
        let mut content = Vec::new();
        response
            .take(LARGEST + 1)
            .read_to_end(&mut content)
            .map_err(|error| format!("cannot fetch {shown}: {error}"))?;
        if content.len() as u64 > LARGEST {
            return Err(format!("{shown} has more than {LARGEST} bytes; that is the limit"));
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};

    use kustomize::{MemoryFileSystem, Options, Outside, build_with};

    use super::*;

    /// A server that answers `count` requests: with an object under `/a.yaml`, with an error elsewhere.
    fn server(count: usize) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(count) {
                let mut stream = stream.unwrap();
                let mut request = String::new();
                BufReader::new(&stream).read_line(&mut request).unwrap();
                let (status, body) = match request.split(' ').nth(1).unwrap() {
                    "/a.yaml" => ("200 OK", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
                    _ => ("404 Not Found", "nothing"),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        format!("http://{address}")
    }

    #[test]
    fn files_are_fetched_and_repositories_are_not() {
        let server = server(2);
        let fetcher = Fetcher::new().unwrap();
        let build = |entry: &str| {
            let mut files = MemoryFileSystem::new();
            files.insert("kustomization.yaml", format!("resources: ['{entry}']\n"));
            let fetch = |remote: &Remote| fetcher.fetch(remote);
            build_with(
                &files,
                "",
                &Options::command_line(),
                Outside { fetch: Some(&fetch), ..Outside::default() },
            )
            .map_err(|errors| errors.to_string())
        };
        assert!(build(&format!("{server}/a.yaml")).unwrap().to_yaml().contains("name: a"));
        let missing = build(&format!("{server}/b.yaml?token=secret")).unwrap_err();
        assert!(missing.contains("404") && !missing.contains("secret"), "{missing}");
        assert!(build("https://example.com/org/repo//base").unwrap_err().contains("are not fetched here"));
    }
}
