import { isArray, isTable, numberOf, type FieldValue, type Table } from "../../amqp/table.ts"

/**
 * Where on earth a message may come from: within a distance of a point, within a box, or within a
 * polygon. Degrees of latitude and longitude; a box may cross the 180th meridian (min_lon > max_lon),
 * a polygon may not.
 */
export interface GeoFilter {
  contains(latitude: number, longitude: number): boolean
}

const EARTH_RADIUS_KM = 6371.0088
const POINTS_MAX = 1000

/** The filter of a key such as `geo-bbox`, or what is wrong with it. Null if the key is none of these. */
export function parseGeoFilter(key: string, value: FieldValue): GeoFilter | string | null {
  if (key === "geo-within-radius") return parseRadius(value)
  if (key === "geo-bbox") return parseBox(value)
  return key === "geo-polygon" ? parsePolygon(value) : null
}

function parseRadius(value: FieldValue): GeoFilter | string {
  const lat = latitudeIn(value, "lat")
  const lon = longitudeIn(value, "lon")
  const radiusKm = numberIn(value, "radius_km")
  if (lat === null || lon === null || radiusKm === null || radiusKm <= 0)
    return `"geo-within-radius needs lat, lon and a positive radius_km"`
  return {
    contains: (latitude, longitude) => distanceKm(lat, lon, latitude, longitude) <= radiusKm,
  }
}

function parseBox(value: FieldValue): GeoFilter | string {
  const minLat = latitudeIn(value, "min_lat")
  const maxLat = latitudeIn(value, "max_lat")
  const minLon = longitudeIn(value, "min_lon")
  const maxLon = longitudeIn(value, "max_lon")
  if (minLat === null || maxLat === null || minLon === null || maxLon === null || minLat > maxLat)
    return `"geo-bbox needs min_lat, max_lat, min_lon and max_lon"`
  return {
    contains: (latitude, longitude) => {
      if (latitude < minLat || latitude > maxLat) return false
      if (minLon <= maxLon) return longitude >= minLon && longitude <= maxLon
      return longitude >= minLon || longitude <= maxLon
    },
  }
}

function parsePolygon(value: FieldValue): GeoFilter | string {
  const error = `"geo-polygon needs points, at least three pairs of lat and lon"`
  const points = isTable(value) ? value.get("points") : undefined
  if (!isArray(points) || points.length < 3 || points.length > POINTS_MAX) return error
  const latitudes: number[] = []
  const longitudes: number[] = []
  for (const point of points) {
    if (!isArray(point) || point.length !== 2) return error
    const lat = within(numberFrom(point[0]), 90)
    const lon = within(numberFrom(point[1]), 180)
    if (lat === null || lon === null) return error
    latitudes.push(lat)
    longitudes.push(lon)
  }
  return { contains: (latitude, longitude) => isInside(latitudes, longitudes, latitude, longitude) }
}

/** Counts how many edges a ray to the east crosses. Points on an edge are inside. */
function isInside(
  latitudes: readonly number[],
  longitudes: readonly number[],
  latitude: number,
  longitude: number,
): boolean {
  let isOdd = false
  let last = latitudes.length - 1
  for (let i = 0; i < latitudes.length; last = i++) {
    const y1 = latitudes[i]!
    const y2 = latitudes[last]!
    const x1 = longitudes[i]!
    const x2 = longitudes[last]!
    const cross = (longitude - x1) * (y2 - y1) - (latitude - y1) * (x2 - x1)
    const isOnEdge =
      cross === 0 &&
      longitude >= Math.min(x1, x2) &&
      longitude <= Math.max(x1, x2) &&
      latitude >= Math.min(y1, y2) &&
      latitude <= Math.max(y1, y2)
    if (isOnEdge) return true
    const isCrossed = y1 > latitude !== y2 > latitude
    if (isCrossed && longitude < ((x2 - x1) * (latitude - y1)) / (y2 - y1) + x1) isOdd = !isOdd
  }
  return isOdd
}

function distanceKm(lat1: number, lon1: number, lat2: number, lon2: number): number {
  const phi1 = radians(lat1)
  const phi2 = radians(lat2)
  const a =
    Math.sin((phi2 - phi1) / 2) ** 2 +
    Math.cos(phi1) * Math.cos(phi2) * Math.sin(radians(lon2 - lon1) / 2) ** 2
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(a)))
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}

function latitudeIn(value: FieldValue, name: string): number | null {
  return within(numberIn(value, name), 90)
}

function longitudeIn(value: FieldValue, name: string): number | null {
  return within(numberIn(value, name), 180)
}

function within(number: number | null, bound: number): number | null {
  return number === null || Math.abs(number) > bound ? null : number
}

function numberIn(value: FieldValue, name: string): number | null {
  if (!isTable(value)) return null
  const table: Table = value
  return numberFrom(table.get(name))
}

/** Null if it is no finite number. */
export function numberFrom(value: FieldValue | undefined): number | null {
  const number = numberOf(value)
  return number === null || !Number.isFinite(Number(number)) ? null : Number(number)
}
