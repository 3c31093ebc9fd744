"""`inspect` on exports in nine languages, each with its own names, encoding and notation."""

import csv
import datetime as dt
import random
from dataclasses import dataclass

import pytest

from pipelines import columns as c
from pipelines.extract.inspect.inspection import inspect_files

COLUMNS = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.NAME, c.QUANTITY, c.UNIT_PRICE)


@dataclass(frozen=True)
class Export:
    """How a shop writes its export; the header is in the order of COLUMNS, the status comes last."""

    header: str
    delimiter: str
    decimal: str
    times: str
    encoding: str
    customer: str  # with the customer's number
    product: str
    bought: str
    cancelled: str


EXPORTS = {
    "English": Export(
        "Order #,Order Date,Customer Email,SKU,Product Title,Qty,Unit Price,Order Status",
        *(",", ".", "%m/%d/%Y %I:%M %p", "utf-8", "C{}@x.example", "Tea", "Completed", "Cancelled"),
    ),
    "German": Export(
        "Auftragsnr.,Rechnungsdatum,Kunden-Nr.,Artikel-Nr.,Bezeichnung,Stück,VK-Preis,Zahlungsstatus",
        *("\t", ",", "%d.%m.%Y", "utf-16", "K{}", "Gürtel", "bezahlt", "storniert"),
    ),
    "French": Export(
        "N° de commande,Date de commande,Email client,Réf. produit,Libellé,Quantité,Prix unitaire,Statut",
        *(";", ",", "%d/%m/%Y %H:%M", "cp1252", "c{}@x.example", "Thé glacé", "payée", "annulée"),
    ),
    "Spanish": Export(
        "Número de pedido,Fecha,Cliente,Código de producto,Descripción,Cantidad,Precio unitario,Estado",
        *(";", ",", "%d/%m/%Y", "utf-8", "K{}", "Café", "completado", "cancelado"),
    ),
    "Italian": Export(
        "Numero ordine,Data ordine,Codice cliente,Codice articolo,Descrizione,Quantità,Prezzo,Stato",
        *(";", ",", "%d/%m/%Y", "latin-1", "K{}", "Tè", "spedito", "annullato"),
    ),
    "Dutch": Export(
        "Ordernummer,Besteldatum,Klantnummer,Artikelcode,Omschrijving,Aantal,Stukprijs,Status",
        *(";", ",", "%d-%m-%Y", "utf-8-sig", "K{}", "Thee", "verzonden", "geannuleerd"),
    ),
    "Polish": Export(
        "Numer zamówienia,Data zamówienia,Klient,Kod produktu,Nazwa,Ilość,Cena brutto,Status zamówienia",
        *(";", ",", "%Y-%m-%d %H:%M", "cp1250", "K{}", "Żółta łódź", "zrealizowane", "anulowane"),
    ),
    "Russian": Export(
        "Номер заказа,Дата заказа,Телефон,Артикул,Наименование,Кол-во,Цена,Статус",
        *(";", ",", "%d.%m.%Y %H:%M", "cp1251", "8 916 53962{}", "Чай", "выполнен", "отменен"),
    ),
    "Portuguese": Export(
        "Número do pedido,Data do pedido,CPF,Código do produto,Nome do produto,Qtd,Valor unitário,Situação",
        *(";", ",", "%d/%m/%Y", "utf-8", "123456789{}", "Pão", "pago", "cancelado"),
    ),
}


def write(export, path, rng):
    with path.open("w", encoding=export.encoding, newline="") as file:
        writer = csv.writer(file, delimiter=export.delimiter)
        writer.writerow(export.header.split(","))
        for order in range(600):
            time = dt.datetime(2026, 3, 1) + dt.timedelta(minutes=67 * order)
            customer = export.customer.format(f"{rng.randrange(10, 90)}")
            status = export.cancelled if order % 10 == 0 else export.bought
            for product in rng.sample(range(40), rng.randrange(1, 4)):
                price = f"{3 + product * 1.25:.2f}".replace(".", export.decimal)
                row = [1000 + order, time.strftime(export.times), customer, f"P{product:03}"]
                writer.writerow(
                    [*row, f"{export.product} {product}", rng.choice((1, 1, 2, 3)), price, status]
                )


@pytest.mark.parametrize("language", EXPORTS)
def test_every_column_and_the_cancelled_orders_are_recognised(language, tmp_path, seed):
    export = EXPORTS[language]
    write(export, tmp_path / "orders.csv", random.Random(seed))
    inspection = inspect_files(str(tmp_path / "orders.csv"))
    content = inspection.draft.content
    assert inspection.is_usable
    assert content["columns"] == dict(zip(COLUMNS, export.header.split(",")[:-1], strict=True))
    assert content["decimal"] == export.decimal
    assert [rule for rule in content["leave_out"] if export.cancelled in rule["values"]]
    kind = "email" if "@" in export.customer else "phone" if language == "Russian" else "id"
    assert content["identity"] == {"kind": kind}
