"""The built-in page: plant, machines, alarms, work orders, gateways, ledger.

It reads the historian, the ingest's records and plant.toml. It decides nothing and writes nothing: what
people ask goes to the ingest, and what is shown afterwards is read back.

    historian, records --reader.py--> snapshot.py, alarm_board.py --overview.py--> Board (live.py)
    Board --pages, alarm_pages, work, order_page, accounts--> HTML     --news.py, events.py--> its changes
    historian --series.py, machine_*.py--> trend, spectrum, values      --api--> JSON
    form --actions.py, acting.py--> command over the broker --> the ingest's reply
"""
