#!/usr/bin/env python3
"""Compares plans with two open solvers as judges: `pip install pyvrp==0.14.1 ortools vrplib`.

    python3 docs/judges.py vrp FILE.vrp SECONDS       the same CVRPLIB file for all
    python3 docs/judges.py days TASK.json PLAN.json SECONDS [COUNT]
                                                      days of reps of a journey plan, each as
                                                      a travelling salesman's problem

`pams` must be in the PATH for the first. Distances of days are seconds of driving by the
model of the journey. Every judge has the same wall clock on one thread.
"""
import json
import math
import random
import subprocess
import sys

EARTH = 6_371_008.8


def with_pyvrp(matrix, demands, capacity, vehicles, seconds):
    from pyvrp import Model
    from pyvrp.stop import MaxRuntime

    model = Model()
    places = [model.add_location(0, 0) for _ in demands]
    model.add_depot(places[0])
    for place, demand in zip(places[1:], demands[1:]):
        model.add_client(place, delivery=demand)
    model.add_vehicle_type(num_available=vehicles, capacity=capacity)
    for a, row in enumerate(matrix):
        for b, far in enumerate(row):
            if a != b:
                model.add_edge(places[a], places[b], distance=far)
    return model.solve(stop=MaxRuntime(seconds), display=False).cost()


def with_ortools(matrix, demands, capacity, vehicles, seconds):
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2 as enums

    manager = pywrapcp.RoutingIndexManager(len(matrix), vehicles, 0)
    routing = pywrapcp.RoutingModel(manager)
    node = manager.IndexToNode
    travel = routing.RegisterTransitCallback(lambda a, b: matrix[node(a)][node(b)])
    routing.SetArcCostEvaluatorOfAllVehicles(travel)
    if capacity:
        load = routing.RegisterUnaryTransitCallback(lambda a: demands[node(a)])
        routing.AddDimension(load, 0, capacity, True, "load")
    how = pywrapcp.DefaultRoutingSearchParameters()
    how.first_solution_strategy = enums.FirstSolutionStrategy.SAVINGS
    how.local_search_metaheuristic = enums.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    how.time_limit.FromMilliseconds(int(seconds * 1000))
    solution = routing.SolveWithParameters(how)
    return solution.ObjectiveValue() if solution else math.inf


def vrp(file, seconds):
    import vrplib

    instance = vrplib.read_instance(file)
    points = instance["node_coord"]
    matrix = [[int(math.dist(a, b) + 0.5) for b in points] for a in points]
    demands = [int(d) for d in instance["demand"]]
    capacity = int(instance["capacity"])
    vehicles = math.ceil(sum(demands) / capacity * 1.1) + 2
    run = ["pams", "solve", file, "--time-limit", str(seconds), "--threads", "1", "--json"]
    ours = json.loads(subprocess.run(run, capture_output=True, check=True).stdout)["cost"]
    print(f"pams    {ours:.0f}")
    for name, judge in (("pyvrp", with_pyvrp), ("ortools", with_ortools)):
        cost = judge(matrix, demands, capacity, vehicles, seconds)
        print(f"{name:<8}{cost:.0f}  ours is {(ours / cost - 1) * 100:+.2f} %")


def days(task, plan, seconds, count):
    task, plan = json.load(open(task)), json.load(open(plan))
    outlets = {o["id"]: o for o in task["outlets"]}
    homes = {d["id"]: d for d in task["distributors"]}
    reps = {r["id"]: r["distributor"] for r in task.get("reps", [])}
    points = [(p["lat"], p["lon"]) for p in list(outlets.values()) + list(homes.values())]
    middle = sorted(p[0] for p in points)[len(points) // 2]
    travel = {"circuity": 1.3, "town_km_h": 20, "road_km_h": 45, "town_km": 2, **task.get("travel", {})}

    def seconds_of(a, b):
        x = EARTH * math.cos(math.radians(middle)) * math.radians(a["lon"] - b["lon"])
        y = EARTH * math.radians(a["lat"] - b["lat"])
        metres = math.hypot(x, y) * travel["circuity"]
        town = min(metres, travel["town_km"] * 1000)
        return int(3.6 * (town / travel["town_km_h"] + (metres - town) / travel["road_km_h"]) + 0.5)

    chosen = [r for r in plan["routes"] if len(r["outlets"]) > 4]
    random.Random(1).shuffle(chosen)
    sums = {"pams": 0, "pyvrp": 0, "ortools": 0}
    for route in chosen[:count]:
        home = homes[reps.get(route["rep"], route["rep"].rsplit("-", 1)[0])]
        places = [home] + [outlets[o] for o in route["outlets"]]
        matrix = [[seconds_of(a, b) for b in places] for a in places]
        n = len(places)
        sums["pams"] += sum(matrix[k][(k + 1) % n] for k in range(n))
        sums["pyvrp"] += with_pyvrp(matrix, [0] + [1] * (n - 1), n, 1, seconds)
        sums["ortools"] += with_ortools(matrix, [0] * n, 0, 1, seconds)
    for name, cost in sums.items():
        print(f"{name:<8}{cost} s  ours is {(sums['pams'] / cost - 1) * 100:+.2f} %")


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["help"]
    if what == "vrp" and len(rest) == 2:
        vrp(rest[0], float(rest[1]))
    elif what == "days" and len(rest) in (3, 4):
        days(rest[0], rest[1], float(rest[2]), int(rest[3]) if len(rest) == 4 else 40)
    else:
        sys.exit(__doc__)
