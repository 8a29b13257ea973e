/** Names for runs that are sent without one: two words, easily said and remembered. */

const HOW =
  'able agile amber ample azure bold brave brisk bright calm candid cheery civil clever cosmic cozy crisp curious dapper daring deft eager early earnest fair famous fancy fearless fine fleet fond frank fresh gentle giddy glad golden grand happy hardy hazel honest humble ideal ivory jolly jovial keen kind lively loyal lucid lucky lunar mellow merry mighty mild modest neat nimble noble olive opal patient placid polite prime proud quick quiet radiant rapid ready robust rosy royal ruby rustic serene sharp silver sincere smart snug solar spry steady sturdy sunny swift tidy tranquil trusty upbeat vivid warm wise witty zesty'.split(
    ' ',
  )
const WHO =
  'badger bear beaver bee bison boar bobcat buffalo bunting caribou cat cheetah condor coyote crane cricket crow deer dingo dolphin dove dragonfly duck eagle egret elk falcon ferret finch firefly flamingo fox frog gazelle gecko gibbon goose gopher grouse hare hawk hedgehog heron hornet ibex ibis iguana impala jackal jaguar jay kestrel kite koala lark lemur leopard lion llama lynx magpie manatee marlin marmot marten mole moose moth mule narwhal newt ocelot octopus orca oriole osprey otter owl oyster panda panther parrot pelican penguin pigeon puffin puma quail rabbit raven robin salmon seal sparrow squid stork swan swift tapir tern tiger toucan trout turtle viper walrus weasel whale wolf wombat wren yak zebra'.split(
    ' ',
  )

/** @param random as `Math.random`: from 0 to below 1 */
export function runName(random: () => number = Math.random): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)]
  return `${pick(HOW)}-${pick(WHO)}`
}
