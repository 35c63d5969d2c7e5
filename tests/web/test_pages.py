"""Pages as an agent reads them."""

from tests.web.conftest import Called
from tests.web.site import Site


def test_a_page_is_read_as_markdown(called: Called, site: Site):
    head = "<title>Tides</title><meta name=author content=Ann>"
    html = f"{head}<nav>Menu</nav><h1>High</h1><p>See <a href=b>b</a>."
    url = site.page("/a", html)
    status, text = called("fetch_webpage", url=url)
    assert (status, text) == (
        "success",
        f"Title: Tides\nAuthor: Ann\nURL: {url}\n\n# High\n\nSee [b]({site.url}/b).",
    )


def test_redirects_are_followed_and_the_last_address_counts(called: Called, site: Site):
    end = site.page("/docs/end", "<p><a href='next'>n</a>")
    start = site.page("/start", "", status=302, location="/docs/end")
    status, text = called("fetch_webpage", url=start)
    assert (status, text) == ("success", f"URL: {end}\n\n[n]({site.url}/docs/next)")


def test_the_character_set_is_the_senders(called: Called, site: Site):
    url = site.page("/x", "<p>Åse".encode("iso-8859-1"), media_type="text/html; charset=ISO-8859-1")
    assert called("fetch_webpage", url=url)[1].endswith("Åse")


def test_json_is_shown_as_it_is(called: Called, site: Site):
    url = site.page("/x.json", {"a": [1]})
    assert called("fetch_webpage", url=url)[1].endswith('\n\n{"a":[1]}')


def test_a_long_page_is_cut_and_says_so(called: Called, site: Site, client):
    (tool,) = client.tools.list(name="fetch_webpage")
    url = site.page("/long", "<p>" + "word " * 50_000)
    _, text = called("fetch_webpage", url=url)
    assert len(text) < tool.return_char_limit + 100
    assert "[the first 50000 of" in text


def test_what_cannot_be_read_is_news_for_the_model(called: Called, site: Site):
    expected = {
        site.url + "/none": "answered HTTP 404",
        site.page("/image", b"\x89PNG\r\n\x1a\n", media_type="image/png"): "It is no text (image/png",
        site.page("/empty", "<html><body><div id=app></div><script>run()</script>"): "no text to read",
        site.page("/away", "", status=302, location="http://10.1.2.3/"): "is not a public address",
        "http://169.254.169.254/latest/meta-data": "is not a public address",
        "file:///etc/passwd": "begins with https://",
        "http://localhost:1/?key=secret": "cannot be fetched",
    }
    for url, why in expected.items():
        status, text = called("fetch_webpage", url=url)
        assert status == "error"
        assert why in text
        assert "secret" not in text
