"""XML files of unknown origin to element trees, without entities and without the network."""

from xml.etree import ElementTree

from karyobench.errors import KaryobenchError

_DECLARATION = b"<!DOCTYPE"


def parse(data: bytes, where: str) -> ElementTree.Element:
    """Root element of an XML file. where: what messages call the file.

    Entities can only be declared in a document type declaration, which is refused: a file of a few bytes could
    otherwise expand to gigabytes. Raises KaryobenchError naming the file when it has one or is not whole XML.
    """
    # The parser takes UTF-16 too, where every second byte of this word is zero.
    if _DECLARATION in data.replace(b"\0", b""):
        raise KaryobenchError(f"{where}: declares a document type, which no annotation needs; remove it or the file")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise KaryobenchError(f"{where}: damaged, truncated, or no XML ({error}); replace the file") from None
